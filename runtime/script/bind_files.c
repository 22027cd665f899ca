/* painda.core.files: what Lua's io lacks. What fails returns nil and a message.
 *
 *     list(directory) → names, unsorted, without . and ..      make_directory(path, mode)
 *     status(path) → {kind = "file" | "directory" | "link" | "socket" | "other", uid, mode, id}, of a link itself;
 *         `id` tells it from any other file, also from a later one of that name
 *     write(path, text, mode): anew, beside the file and then in its place
 *     real(path) → absolute, without links                     set_mode(path, mode)
 *     target(path) → what stands in a link
 *     process() → {pid, uid}                                   parent(pid) → its parent's pid, or nil
 *     embedded("templates" | "types") → path → text of the files that are part of the program
 *     alive(pid) → boolean                                     usage() → {memory = bytes resident, cpu = seconds used}
 */
#define _GNU_SOURCE
#include "script/bind.h"
#include "script/embedded.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(lua_State *L, const char *path)
{
    int why = errno;
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(why));
    return 2;
}

static int done(lua_State *L, int failed, const char *path)
{
    if (failed)
        return fail(L, path);
    lua_pushboolean(L, 1);
    return 1;
}

static int list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return fail(L, path);
    lua_newtable(L);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        lua_pushstring(L, entry->d_name);
        lua_rawseti(L, -2, ++count);
    }
    closedir(directory);
    return 1;
}

static const char *kind_of(mode_t mode)
{
    if (S_ISREG(mode))
        return "file";
    if (S_ISDIR(mode))
        return "directory";
    if (S_ISLNK(mode))
        return "link";
    return S_ISSOCK(mode) ? "socket" : "other";
}

static void set_integer(lua_State *L, const char *name, long value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static int status(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct stat file;
    if (lstat(path, &file) != 0)
        return fail(L, path);
    lua_createtable(L, 0, 4);
    lua_pushfstring(L, "%f:%f", (lua_Number)file.st_dev, (lua_Number)file.st_ino);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, kind_of(file.st_mode));
    lua_setfield(L, -2, "kind");
    set_integer(L, "uid", (long)file.st_uid);
    set_integer(L, "mode", (long)(file.st_mode & 07777));
    return 1;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return -1;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_file(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &len);
    mode_t mode = (mode_t)luaL_checkinteger(L, 3);
    const char *beside = lua_pushfstring(L, "%s.%d", path, (int)getpid());
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(L, beside);
    int failed = write_all(fd, text, len);
    failed = close(fd) != 0 || failed ? -1 : rename(beside, path);
    if (failed) {
        int results = fail(L, path);
        unlink(beside);
        return results;
    }
    return done(L, 0, path);
}

static int real(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char *resolved = realpath(path, NULL);
    if (resolved == NULL)
        return fail(L, path);
    lua_pushstring(L, resolved);
    free(resolved);
    return 1;
}

static int target(lua_State *L)
{
    char text[PATH_MAX];
    const char *path = luaL_checkstring(L, 1);
    ssize_t len = readlink(path, text, sizeof text);
    if (len < 0)
        return fail(L, path);
    lua_pushlstring(L, text, (size_t)len);
    return 1;
}

static int make_directory(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    return done(L, mkdir(path, (mode_t)luaL_checkinteger(L, 2)), path);
}

static int set_mode(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    return done(L, chmod(path, (mode_t)luaL_checkinteger(L, 2)), path);
}

static int process(lua_State *L)
{
    lua_createtable(L, 0, 2);
    set_integer(L, "pid", getpid());
    set_integer(L, "uid", (long)geteuid());
    return 1;
}

static int parent(lua_State *L)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)luaL_checkinteger(L, 1));
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t len = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[len] = '\0';
    const char *after = strrchr(line, ')'); /* behind the name: ") S 1234 " */
    if (after == NULL || strlen(after) < 5)
        return 0;
    lua_pushinteger(L, (lua_Integer)strtol(after + 4, NULL, 10));
    return 1;
}

static int alive(lua_State *L)
{
    lua_pushboolean(L, kill((pid_t)luaL_checkinteger(L, 1), 0) == 0 || errno == EPERM);
    return 1;
}

static int embedded(lua_State *L)
{
    static const char *const names[] = {"templates", "types", NULL};
    const struct pp_embedded *files[] = {pp_embedded_templates, pp_embedded_types};
    const struct pp_embedded *file = files[luaL_checkoption(L, 1, NULL, names)];
    lua_newtable(L);
    for (; file->file != NULL; file++) {
        lua_pushlstring(L, (const char *)file->source, file->len);
        lua_setfield(L, -2, file->file);
    }
    return 1;
}

static int usage(lua_State *L)
{
    long pages = 0;
    struct rusage used;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        char line[128];
        size_t len = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        line[len] = '\0';
        const char *second = strchr(line, ' ');
        pages = second ? strtol(second, NULL, 10) : 0;
    }
    getrusage(RUSAGE_SELF, &used);
    lua_createtable(L, 0, 2);
    lua_pushnumber(L, (lua_Number)pages * (lua_Number)sysconf(_SC_PAGESIZE));
    lua_setfield(L, -2, "memory");
    lua_pushnumber(L, (lua_Number)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                          (lua_Number)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    lua_setfield(L, -2, "cpu");
    return 1;
}

int pp_bind_files(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"list", list},         {"status", status},    {"real", real},
        {"target", target},     {"write", write_file}, {"make_directory", make_directory},
        {"set_mode", set_mode}, {"process", process},  {"parent", parent},
        {"alive", alive},       {"usage", usage},      {"embedded", embedded},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
