/* The shared page of a worker and its supervisor. */
#define _GNU_SOURCE /* memfd_create */
#include "supervisor/pulse.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pp_pulse alone;
struct pp_pulse *pp_pulse = &alone;

static struct pp_pulse *map(int fd)
{
    struct pp_pulse *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

int pp_pulse_create(struct pp_pulse **pulse)
{
    int fd = memfd_create("painda pulse", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, sizeof **pulse) == 0 && (*pulse = map(fd)) != NULL)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

void pp_pulse_destroy(struct pp_pulse *pulse)
{
    if (pulse != NULL)
        munmap(pulse, sizeof *pulse);
}

bool pp_pulse_attach(int fd)
{
    struct pp_pulse *page = map(fd);
    if (page != NULL)
        pp_pulse = page;
    return page != NULL;
}

void pp_pulse_write(char place[PP_PULSE_TEXT], const char *text, size_t len)
{
    if (len >= PP_PULSE_TEXT)
        len = PP_PULSE_TEXT - 1;
    memcpy(place, text, len);
    place[len] = '\0';
}

void pp_pulse_read(const char *place, size_t place_size, char *text, size_t size)
{
    size_t len = strnlen(place, place_size < size ? place_size : size - 1);
    memcpy(text, place, len);
    text[len] = '\0';
}
