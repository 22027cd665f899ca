/* Worlds of entities that come, move and go, seen by several who each keep their own state by what they are sent: what
 * each has is what it should see. */
#include "interest/interest.h"

#include "base/buf.h"
#include "delta/delta.h"
#include "harness.h"
#include "random.h"

#define VIEWERS 6
#define TICKS 40
#define WIDTH 100

struct viewer {
    struct pp_sight known;
    struct pp_tree states[2]; /* what it was sent, patched */
    unsigned last;
    double x, y, radius;
    bool behind; /* it is sent nothing, and then from `from` on */
    struct pp_tree from;
};

struct world {
    struct pp_random random;
    struct pp_interest *interest;
    int map, place, bullets; /* bullets: -1 until it is asked for */
    struct pp_tree trees[2];
    unsigned last;
    struct viewer viewers[VIEWERS];
    struct {
        bool there;
        int x, y, hp;
        const char *name;
    } players[40], shots[10];
    bool no_map, is_list, reserved;
    unsigned phase;
};

static const char *const NAMES[] = {"\"ann\"", "\"a name that is longer\"", "null", "{\"__pp_deleted\":true}", "[1,2]"};

static uint64_t below(struct world *world, uint64_t n)
{
    return pp_random_below(&world->random, n);
}

static void write_state(const struct world *world, struct pp_buf *out)
{
    char text[256];
    snprintf(text, sizeof text, "{\"phase\":%u,\"log\":[1,%u]", world->phase / 4, world->phase / 7);
    pp_buf_append_string(out, text);
    if (world->phase % 5 == 0)
        pp_buf_append_string(out, ",\"now\":{\"and\":\"then\"}");
    if (world->is_list)
        pp_buf_append_string(out, ",\"players\":[1]");
    else if (!world->no_map) {
        pp_buf_append_string(out, ",\"players\":{");
        const char *comma = "";
        for (unsigned i = 0; i < 40; i++)
            if (world->players[i].there) {
                const char *prefix = world->reserved && i == 7 ? "__pp_" : "p";
                snprintf(text, sizeof text, "%s\"%s%u\":{\"x\":%d,\"name\":%s,\"y\":%d,\"hp\":%d}", comma, prefix, i,
                         world->players[i].x, world->players[i].name, world->players[i].y, world->players[i].hp);
                pp_buf_append_string(out, text);
                comma = ",";
            }
        pp_buf_append_string(out, "}");
    }
    pp_buf_append_string(out, ",\"shots\":{");
    const char *comma = "";
    for (unsigned i = 0; i < 10; i++)
        if (world->shots[i].there) {
            snprintf(text, sizeof text, "%s\"s%u\":%d", comma, i, world->shots[i].x);
            pp_buf_append_string(out, text);
            comma = ",";
        }
    pp_buf_append_string(out, "}}");
}

static void change(struct world *world, bool unusual)
{
    world->phase++;
    for (unsigned i = 0; i < 40; i++) {
        if (below(world, 12) == 0) {
            world->players[i].there = !world->players[i].there;
            world->players[i].name = NAMES[below(world, unusual ? 5 : 2)];
            world->players[i].x = (int)below(world, WIDTH);
            world->players[i].y = (int)below(world, WIDTH);
        }
        if (below(world, 3) == 0)
            world->players[i].x += (int)below(world, 21) - 10;
        if (below(world, 10) == 0)
            world->players[i].hp++;
    }
    for (unsigned i = 0; i < 10; i++) {
        world->shots[i].there = below(world, 2) == 0;
        world->shots[i].x = (int)below(world, 4);
    }
    world->no_map = unusual && below(world, 6) == 0;
    world->is_list = unusual && below(world, 8) == 0;
    world->reserved = unusual && below(world, 4) == 0;
}

static const struct pp_value *now(const struct world *world)
{
    return &world->trees[world->last].root;
}

static void read_state(struct world *world, unsigned tree)
{
    struct pp_buf text = {0};
    char error[200];
    write_state(world, &text);
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&world->trees[tree], text.data, text.len, error, sizeof error));
    pp_buf_destroy(&text);
}

static struct pp_sight sight_of(struct world *world, const struct viewer *viewer, unsigned i)
{
    struct pp_sight sight = {.maps = pp_interest_map_count(world->interest)};
    if (i == 0)
        pp_set_copy(&sight.sets[world->map], pp_interest_there(world->interest, world->map));
    else
        pp_interest_find(world->interest, world->place, viewer->x, viewer->y, viewer->radius, 20,
                         &sight.sets[world->map]);
    if (world->bullets >= 0 && i % 2 == 0)
        pp_set_copy(&sight.sets[world->bullets], pp_interest_there(world->interest, world->bullets));
    return sight;
}

static bool is_near(const struct viewer *viewer, const struct pp_value *entity)
{
    double x = pp_value_get(entity, "x", 1)->value.number - viewer->x;
    double y = pp_value_get(entity, "y", 1)->value.number - viewer->y;
    return x * x + y * y <= viewer->radius * viewer->radius;
}

/* What the viewer should have, by going through the state. */
static struct pp_value expected(const struct world *world, const struct viewer *viewer, unsigned i,
                                struct pp_tree *tree)
{
    const struct pp_value *state = now(world);
    for (uint32_t m = 0; m < state->count; m++) {
        const struct pp_value_member *at = &state->members[m];
        bool players = at->key->len == 7, shots = at->key->len == 5 && at->key->bytes[0] == 's' && world->bullets >= 0;
        if (players && at->value.kind != PP_VALUE_MAP)
            continue;
        uint32_t first = tree->open_count;
        for (uint32_t e = 0; (players || shots) && e < at->value.count; e++) {
            const struct pp_value_member *entity = &at->value.members[e];
            if (players ? i == 0 || is_near(viewer, &entity->value) : i % 2 == 0)
                pp_tree_push(tree, entity->key, entity->value);
        }
        pp_tree_push(tree, at->key, players || shots ? pp_tree_map(tree, first) : at->value);
    }
    return pp_tree_map(tree, 0);
}

static void patch(struct viewer *viewer, const struct pp_buf *text)
{
    char error[200];
    const char *wrong = NULL;
    struct pp_tree delta = {0}, copy = {0};
    struct pp_buf out = {0};
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&delta, text->data, text->len, error, sizeof error));
    if (!pp_delta_patch(&copy, &viewer->states[viewer->last].root, &delta.root, &wrong))
        printf("%s: %.*s\n", wrong, (int)text->len, text->data);
    CU_ASSERT_PTR_NULL_FATAL(wrong);
    pp_value_write(&copy.root, &out);
    viewer->last = !viewer->last;
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&viewer->states[viewer->last], out.data, out.len, error, sizeof error));
    pp_buf_destroy(&out);
    pp_tree_destroy(&delta);
    pp_tree_destroy(&copy);
}

static void note_from(struct world *world, struct viewer *viewer)
{
    struct pp_buf text = {0};
    char error[200];
    pp_value_write(&world->trees[!world->last].root, &text);
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(&viewer->from, text.data, text.len, error, sizeof error));
    pp_buf_destroy(&text);
    viewer->behind = true;
    pp_interest_keep(world->interest);
}

static void send_to(struct world *world, unsigned i, uint64_t seed)
{
    struct viewer *viewer = &world->viewers[i];
    struct pp_buf out = {0}, whole = {0};
    struct pp_tree scratch = {0};
    if (!viewer->behind)
        pp_interest_complete(world->interest, &viewer->known);
    if (!viewer->behind && viewer->known.maps == 2 && below(world, 6) == 0)
        note_from(world, viewer);
    if (viewer->behind && below(world, 3) > 0)
        return;
    struct pp_sight seen = sight_of(world, viewer, i);
    bool any = viewer->behind ? pp_interest_write_from(world->interest, &viewer->from.root, &viewer->known, &seen, &out)
                              : pp_interest_write(world->interest, &viewer->known, &seen, false, &out);
    if (viewer->behind)
        pp_interest_unkeep(world->interest);
    viewer->behind = false;
    CU_ASSERT_EQUAL(any, out.len > 0);
    if (any)
        patch(viewer, &out);
    struct pp_value should = expected(world, viewer, i, &scratch);
    bool same = pp_value_equal(&should, &viewer->states[viewer->last].root);
    if (!same)
        printf("seed %lu, viewer %u: %.*s\n", (unsigned long)seed, i, (int)out.len, out.data);
    CU_ASSERT_TRUE_FATAL(same);
    pp_interest_write_whole(world->interest, &seen, &whole);
    CU_ASSERT_TRUE(out.len <= whole.len + (size_t)PP_DELTA_SMALL * 3); /* three parts */
    pp_sight_destroy(&viewer->known);
    viewer->known = seen;
    pp_buf_destroy(&whole);
    pp_buf_destroy(&out);
    pp_tree_destroy(&scratch);
}

static void tick(struct world *world, unsigned t, uint64_t seed)
{
    change(world, seed % 2 == 0);
    read_state(world, !world->last);
    world->last = !world->last;
    if (t == 5)
        world->bullets = pp_interest_map(world->interest, "shots", 5);
    pp_interest_look(world->interest, &world->trees[!world->last].root, now(world));
    for (unsigned i = 0; i < VIEWERS; i++) {
        struct viewer *viewer = &world->viewers[i];
        viewer->x += (double)below(world, 7) - 3;
        if (below(world, 20) == 0)
            viewer->y = (double)below(world, WIDTH);
        send_to(world, i, seed);
    }
}

static void each_has_what_it_sees(void)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct world world = {.random = {seed}, .bullets = -1, .interest = pp_interest_new()};
        for (unsigned i = 0; i < 40; i++)
            world.players[i].name = NAMES[0];
        world.map = pp_interest_map(world.interest, "players", 7);
        world.place = pp_interest_place(world.interest, world.map, "x", "y");
        read_state(&world, 0);
        pp_interest_look(world.interest, now(&world), now(&world));
        for (unsigned i = 0; i < VIEWERS; i++) {
            struct viewer *viewer = &world.viewers[i];
            struct pp_buf text = {0};
            char error[200];
            viewer->x = viewer->y = WIDTH / 2.0;
            viewer->radius = 10 * i;
            viewer->known = sight_of(&world, viewer, i);
            pp_interest_write_whole(world.interest, &viewer->known, &text);
            CU_ASSERT_TRUE_FATAL(pp_tree_parse(&viewer->states[0], text.data, text.len, error, sizeof error));
            pp_buf_destroy(&text);
        }
        for (unsigned t = 0; t < TICKS; t++)
            tick(&world, t, seed);
        for (unsigned i = 0; i < VIEWERS; i++) {
            pp_sight_destroy(&world.viewers[i].known);
            pp_tree_destroy(&world.viewers[i].states[0]);
            pp_tree_destroy(&world.viewers[i].states[1]);
            pp_tree_destroy(&world.viewers[i].from);
        }
        pp_interest_delete(world.interest);
        pp_tree_destroy(&world.trees[0]);
        pp_tree_destroy(&world.trees[1]);
    }
}

/* --- by hand --- */

struct scene {
    struct pp_interest *interest;
    struct pp_tree trees[2];
    unsigned last;
    struct pp_sight known;
};

static void show(struct scene *scene, const char *text)
{
    char error[200];
    scene->last = !scene->last;
    struct pp_tree *tree = &scene->trees[scene->last], *before = &scene->trees[!scene->last];
    CU_ASSERT_TRUE_FATAL(pp_tree_parse(tree, text, strlen(text), error, sizeof error));
    bool first = before->root.kind == PP_VALUE_NIL;
    pp_interest_look(scene->interest, first ? &tree->root : &before->root, &tree->root);
}

static void end(struct scene *scene)
{
    pp_sight_destroy(&scene->known);
    pp_interest_delete(scene->interest);
    pp_tree_destroy(&scene->trees[0]);
    pp_tree_destroy(&scene->trees[1]);
}

static void expect_delta(struct scene *scene, double x, const char *wanted)
{
    struct pp_buf out = {0};
    struct pp_sight seen = {.maps = 1};
    pp_interest_find(scene->interest, 0, x, 0, 5, 5, &seen.sets[0]);
    pp_interest_complete(scene->interest, &scene->known);
    pp_interest_write(scene->interest, &scene->known, &seen, false, &out);
    pp_buf_append_char(&out, '\0');
    CU_ASSERT_STRING_EQUAL(out.data, wanted);
    pp_buf_destroy(&out);
    pp_sight_destroy(&scene->known);
    scene->known = seen;
}

static void writes_what_comes_and_goes(void)
{
    struct scene scene = {.interest = pp_interest_new()};
    int map = pp_interest_map(scene.interest, "players", 7);
    CU_ASSERT_EQUAL(pp_interest_map(scene.interest, "players", 7), map);
    CU_ASSERT_EQUAL(pp_interest_place(scene.interest, map, "x", "y"), 0);
    CU_ASSERT_EQUAL(pp_interest_place(scene.interest, map, "x", "y"), 0);
    show(&scene, "{\"n\":1,\"players\":{\"a\":{\"x\":0,\"y\":0},\"b\":{\"x\":9,\"y\":0}}}");
    expect_delta(&scene, 0, "{\"players\":{\"b\":{\"__pp_deleted\":true}}}"); /* it had all of it */
    show(&scene, "{\"n\":2,\"players\":{\"a\":{\"x\":1,\"y\":0},\"b\":{\"x\":9,\"y\":0}}}");
    expect_delta(&scene, 0, "{\"n\":2,\"players\":{\"a\":{\"x\":1}}}");
    show(&scene, "{\"n\":2,\"players\":{\"a\":{\"x\":1,\"y\":0},\"b\":{\"x\":5,\"y\":0}}}");
    expect_delta(&scene, 0, "{\"players\":{\"b\":{\"x\":5,\"y\":0}}}");
    show(&scene, "{\"n\":2,\"players\":{\"a\":{\"x\":1,\"y\":0},\"b\":{\"x\":6,\"y\":0}}}");
    expect_delta(&scene, 0, "{\"players\":{\"b\":{\"__pp_deleted\":true}}}");
    show(&scene, "{\"n\":2,\"players\":{\"a\":{\"x\":1,\"y\":0},\"b\":{\"x\":7,\"y\":0}}}");
    expect_delta(&scene, 0, "");
    show(&scene, "{\"n\":2,\"players\":{\"b\":{\"x\":7},\"c\":{\"x\":0,\"y\":0}}}"); /* b is nowhere */
    expect_delta(&scene, 0, "{\"players\":{\"c\":{\"x\":0,\"y\":0},\"a\":{\"__pp_deleted\":true}}}");
    show(&scene, "{\"players\":[1]}");
    CU_ASSERT_PTR_NOT_NULL(pp_interest_fault(scene.interest, map));
    expect_delta(&scene, 0, "{\"n\":{\"__pp_deleted\":true},\"players\":{\"__pp_deleted\":true}}");
    end(&scene);
}

static void gives_no_number_away_that_is_kept(void)
{
    struct scene scene = {.interest = pp_interest_new()};
    int map = pp_interest_map(scene.interest, "m", 1);
    pp_interest_keep(scene.interest);
    show(&scene, "{\"m\":{\"a\":1}}");
    show(&scene, "{\"m\":{}}");
    CU_ASSERT_EQUAL(pp_interest_entity(scene.interest, map, "a", 1), -1);
    show(&scene, "{\"m\":{\"b\":1}}");
    CU_ASSERT_EQUAL(pp_interest_entity(scene.interest, map, "b", 1), 1);
    show(&scene, "{\"m\":{\"a\":1}}");
    CU_ASSERT_EQUAL(pp_interest_entity(scene.interest, map, "a", 1), 0);
    char text[64];
    for (unsigned i = 0; i < 1100; i++) {
        CU_ASSERT_EQUAL(pp_interest_is_crowded(scene.interest), i > 1027);
        snprintf(text, sizeof text, "{\"m\":{\"k%u\":1}}", i);
        show(&scene, text);
    }
    pp_interest_unkeep(scene.interest);
    show(&scene, "{\"m\":{\"new\":1}}");
    CU_ASSERT_TRUE(pp_interest_entity(scene.interest, map, "new", 3) < 1102);
    CU_ASSERT_FALSE(pp_interest_is_crowded(scene.interest));
    end(&scene);
}

int main(void)
{
    return pp_run_suite("interest/interest",
                        (CU_TestInfo[]){{"writes what comes and what goes", writes_what_comes_and_goes},
                                        {"each has what it sees, whatever happens", each_has_what_it_sees},
                                        {"gives no number away that is kept", gives_no_number_away_that_is_kept},
                                        CU_TEST_INFO_NULL});
}
