/* Runs a fuzz target without libFuzzer: over every file of the corpus folder given, then over deterministic mutations
 * of them.
 *
 *     json_fuzz FOLDER        PP_FUZZ_SEED=n takes another seed, PP_FUZZ_RUNS=n another number of mutations
 *
 * A target fails by crashing (abort, a sanitizer's report); what it was given is then left in the file replay-crash. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 4096
#define MAX_LEN (1 << 16)
#define DEFAULT_RUNS 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
    uint8_t *data;
    size_t len;
};

static struct file files[MAX_FILES];
static size_t file_count;
static const uint8_t *current;
static size_t current_len;
static uint64_t state = 1;

/* xorshift64*: the same inputs on every machine. */
static uint64_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
}

static size_t below(size_t n)
{
    return n == 0 ? 0 : (size_t)(next_random() % n);
}

static void save_and_die(int sig)
{
    FILE *out = fopen("replay-crash", "wb");
    if (out != NULL) {
        fwrite(current, 1, current_len, out);
        fclose(out);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

/* The input stands in a block of exactly its size, so that a read past its end is seen by the sanitizer. */
static void run_one(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        exit(2);
    if (len > 0)
        memcpy(copy, data, len);
    current = data;
    current_len = len;
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void load_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    if (in == NULL || file_count == MAX_FILES) {
        fprintf(stderr, "replay: cannot read %s: %s\n", path, in == NULL ? strerror(errno) : "too many files");
        exit(2);
    }
    uint8_t *data = malloc(MAX_LEN);
    if (data == NULL)
        exit(2);
    size_t len = fread(data, 1, MAX_LEN, in);
    fclose(in);
    files[file_count++] = (struct file){data, len};
}

/* Sorted by name, since the order of a directory differs between machines. */
static void load_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "replay: cannot open the folder %s: %s\n", folder, strerror(errno));
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            load_file(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* Puts the bytes [from, from+n) of a random file over or into `out` at `at`; returns the new length. */
static size_t splice(uint8_t *out, size_t len)
{
    const struct file *other = &files[below(file_count)];
    size_t from = below(other->len + 1), n = below(other->len - from + 1), at = below(len + 1);
    size_t removed = below(len - at + 1);
    if (len - removed + n > MAX_LEN)
        return len;
    memmove(out + at + n, out + at + removed, len - at - removed);
    if (n > 0)
        memcpy(out + at, other->data + from, n);
    return len - removed + n;
}

static size_t mutate_once(uint8_t *out, size_t len)
{
    static const uint8_t telling[] = {0,   0x7f, 0x80, 0xff, '"', '\\', '{', '}',  '[',
                                      ']', ',',  ':',  '0',  'e', '-',  '.', 0xc0, 0xed};
    switch (below(6)) {
    case 0: /* one bit */
        if (len > 0)
            out[below(len)] ^= (uint8_t)(1U << below(8));
        return len;
    case 1: /* one telling byte */
        if (len > 0)
            out[below(len)] = telling[below(sizeof telling)];
        return len;
    case 2:
        return below(len + 1);
    case 3: /* one byte more */
        if (len == MAX_LEN)
            return len;
        out[len] = (uint8_t)next_random();
        return len + 1;
    default:
        return splice(out, len);
    }
}

static void run_mutation(void)
{
    static uint8_t out[MAX_LEN];
    const struct file *from = &files[below(file_count)];
    size_t len = from->len;
    memcpy(out, from->data, len);
    for (size_t steps = 1 + below(4); steps > 0; steps--)
        len = mutate_once(out, len);
    run_one(out, len);
}

static unsigned long number_from(const char *variable, unsigned long fallback)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoul(text, NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    const char *slash = strrchr(argv[1], '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : argv[1];
    state = 0x9E3779B97F4A7C15 ^ number_from("PP_FUZZ_SEED", 0);
    signal(SIGABRT, save_and_die);
    signal(SIGSEGV, save_and_die);
    load_folder(argv[1]);
    if (file_count == 0) {
        fprintf(stderr, "replay: no files in %s\n", argv[1]);
        return 2;
    }
    run_one((const uint8_t *)"", 0);
    for (size_t i = 0; i < file_count; i++)
        run_one(files[i].data, files[i].len);
    unsigned long runs = number_from("PP_FUZZ_RUNS", DEFAULT_RUNS);
    for (unsigned long i = 0; i < runs; i++)
        run_mutation();
    for (size_t i = 0; i < file_count; i++)
        free(files[i].data);
    printf("%s: %zu files, %lu mutations, 0 failed\n", name, file_count, runs);
    return 0;
}
