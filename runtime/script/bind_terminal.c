/* painda.core.terminal: the terminal of a tool, and editing lines in it (libedit).
 *
 *     is_terminal(fd) → boolean                size() → columns, rows (80, 24 where unknown)
 *     catch_interrupts()                       from now on Ctrl-C ends what waits, not the process
 *     editor(complete, entries) → editor       complete(line up to the cursor) → {from, words}; at most `entries` kept
 *         editor:read(prompt) → a line without its end, or nil and "end" or "interrupted"
 *         editor:remember(text)                for the keys up and Ctrl-R */
#define _GNU_SOURCE
#include "script/bind.h"

#include <histedit.h>
#include <lauxlib.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EDITOR "painda.editor"

struct editor {
    EditLine *line;
    History *history;
    lua_State *L; /* that editor:read was called on, for the completion */
    const char *prompt;
    bool interrupted; /* by Ctrl-C, which is a key while a line is edited */
};

static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int size(lua_State *L)
{
    struct winsize window = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0;
    lua_pushinteger(L, known ? window.ws_col : 80);
    lua_pushinteger(L, known ? window.ws_row : 24);
    return 2;
}

static void on_interrupt(int signum)
{
    (void)signum; /* that a call was interrupted is all that has to happen */
}

static int catch_interrupts(lua_State *L)
{
    (void)L;
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART */
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, NULL); /* it comes where something waits: net/local_dial.c */
    sigaction(SIGINT, &action, NULL);
    return 0;
}

static char *prompt_of(EditLine *line)
{
    struct editor *editor;
    el_get(line, EL_CLIENTDATA, &editor);
    return (char *)editor->prompt;
}

/* [words at -1] How many bytes all words begin with alike. */
static size_t common_length(lua_State *L, size_t count)
{
    size_t common = 0;
    lua_rawgeti(L, -1, 1);
    const char *first = lua_tolstring(L, -1, &common);
    lua_pop(L, 1); /* it stays in the table */
    for (size_t i = 2; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        const char *word = lua_tostring(L, -1);
        size_t same = 0;
        while (same < common && word[same] == first[same])
            same++;
        common = same;
        lua_pop(L, 1);
    }
    return common;
}

/* [words at -1] In columns, below the line. */
static void print_words(lua_State *L, size_t count)
{
    size_t widest = 0, len;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        lua_tolstring(L, -1, &len);
        widest = len > widest ? len : widest;
        lua_pop(L, 1);
    }
    lua_pushcfunction(L, size);
    lua_call(L, 0, 1);
    size_t columns = (size_t)lua_tointeger(L, -1) / (widest + 2);
    lua_pop(L, 1);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        bool last = i == count || columns == 0 || i % columns == 0;
        printf("%s%-*s", i == 1 ? "\n" : "", last ? 0 : (int)widest + 2, lua_tostring(L, -1));
        if (last)
            putchar('\n');
        lua_pop(L, 1);
    }
    fflush(stdout);
}

/* [-0, +1] The words for what is left of the cursor, all strings, and in *typed how much of the word is there; 0 where
 * there are none. */
static size_t find_words(lua_State *L, EditLine *line, size_t *typed)
{
    const LineInfo *info = el_line(line);
    size_t before = (size_t)(info->cursor - info->buffer);
    lua_pushlstring(L, info->buffer, before);
    if (lua_pcall(L, 1, 1, 0) != 0 || !lua_istable(L, -1))
        return 0;
    lua_getfield(L, -1, "from");
    size_t from = (size_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, -1, "words");
    if (!lua_istable(L, -1) || from > before)
        return 0;
    *typed = before - from;
    size_t count = lua_objlen(L, -1);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        bool fits = lua_type(L, -1) == LUA_TSTRING && lua_objlen(L, -1) >= *typed;
        lua_pop(L, 1);
        if (!fits)
            return 0;
    }
    return count;
}

static unsigned char on_complete(EditLine *line, int ch)
{
    (void)ch;
    struct editor *editor;
    el_get(line, EL_CLIENTDATA, &editor);
    lua_State *L = editor->L;
    int top = lua_gettop(L);
    size_t typed = 0;
    unsigned char result = CC_ERROR;
    lua_getfenv(L, 1);
    lua_getfield(L, -1, "complete");
    size_t count = find_words(L, line, &typed);
    if (count > 0) {
        size_t common = common_length(L, count);
        lua_rawgeti(L, -1, 1);
        lua_pushlstring(L, lua_tostring(L, -1) + typed, common - typed);
        lua_remove(L, -2); /* stack now: …, words, rest */
        if (common > typed && el_insertstr(line, lua_tostring(L, -1)) == 0)
            result = CC_REFRESH;
        lua_pop(L, 1);
        if (common == typed && count > 1) {
            print_words(L, count);
            result = CC_REDISPLAY;
        }
    }
    lua_settop(L, top);
    return result;
}

/* One that came when nothing waited any more. */
static void drop_interrupt(void)
{
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigtimedwait(&interrupt, NULL, &(struct timespec){0, 0});
}

static unsigned char on_interrupt_key(EditLine *line, int ch)
{
    (void)ch;
    struct editor *editor;
    el_get(line, EL_CLIENTDATA, &editor);
    editor->interrupted = true;
    return CC_EOF;
}

static int editor_read(lua_State *L)
{
    struct editor *editor = luaL_checkudata(L, 1, EDITOR);
    editor->prompt = luaL_checkstring(L, 2);
    luaL_argcheck(L, editor->line != NULL, 1, "it was closed");
    editor->L = L;
    el_set(editor->line, EL_PREP_TERM, 1); /* before the prompt is there: what follows it is the editor's */
    editor->interrupted = false;
    drop_interrupt();
    int len = 0;
    const char *line = el_gets(editor->line, &len);
    if (line == NULL || len <= 0 || editor->interrupted) {
        lua_pushnil(L);
        lua_pushstring(L, editor->interrupted ? "interrupted" : "end");
        if (editor->interrupted) {
            el_reset(editor->line);
            puts("^C");
        }
        return 2;
    }
    if (line[len - 1] == '\n')
        len--;
    lua_pushlstring(L, line, (size_t)len);
    return 1;
}

static int editor_remember(lua_State *L)
{
    struct editor *editor = luaL_checkudata(L, 1, EDITOR);
    HistEvent event;
    if (editor->history != NULL)
        history(editor->history, &event, H_ENTER, luaL_checkstring(L, 2));
    return 0;
}

static int editor_close(lua_State *L)
{
    struct editor *editor = luaL_checkudata(L, 1, EDITOR);
    if (editor->line != NULL)
        el_end(editor->line);
    if (editor->history != NULL)
        history_end(editor->history);
    editor->line = NULL;
    editor->history = NULL;
    return 0;
}

static int new_editor(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int entries = (int)luaL_checkinteger(L, 2);
    HistEvent event;
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(setlocale(LC_CTYPE, NULL), "C") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    struct editor *editor = lua_newuserdata(L, sizeof *editor);
    *editor = (struct editor){.line = el_init("painda", stdin, stdout, stderr), .history = history_init()};
    luaL_getmetatable(L, EDITOR);
    lua_setmetatable(L, -2);
    if (editor->line == NULL || editor->history == NULL)
        return luaL_error(L, "the terminal cannot be set up");
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "complete");
    lua_setfenv(L, -2);
    history(editor->history, &event, H_SETSIZE, entries);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->line, EL_CLIENTDATA, editor);
    el_set(editor->line, EL_PROMPT, prompt_of);
    el_set(editor->line, EL_EDITOR, "emacs");
    el_set(editor->line, EL_HIST, history, editor->history);
    /* wide: el_set would copy both texts and never free them */
    el_wset(editor->line, EL_ADDFN, L"painda-complete", L"names that begin so", on_complete);
    el_wset(editor->line, EL_ADDFN, L"painda-interrupt", L"drops the line", on_interrupt_key);
    el_set(editor->line, EL_SETTY, "-d", "-isig", NULL);
    el_set(editor->line, EL_BIND, "^C", "painda-interrupt", NULL);
    el_set(editor->line, EL_BIND, "^I", "painda-complete", NULL);
    el_set(editor->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return 1;
}

int pp_bind_terminal(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", editor_read}, {"remember", editor_remember}, {"close", editor_close}, {"__gc", editor_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"is_terminal", is_terminal}, {"size", size}, {"catch_interrupts", catch_interrupts},
        {"editor", new_editor},       {NULL, NULL},
    };
    luaL_newmetatable(L, EDITOR);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
