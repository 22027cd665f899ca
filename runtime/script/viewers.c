/* Views and viewers: what is seen, and what is known. viewers_publish.c sends it. */
#include "script/viewers.h"

#include "delta/delta.h"
#include "script/viewers_internal.h"

void pp_viewers_init(struct pp_viewers *viewers, const struct pp_encoding *encoding, const char *name, size_t len,
                     struct pp_state_block *root)
{
    *viewers = (struct pp_viewers){.encoding = encoding, .frames = root != NULL};
    viewers->interest = root != NULL ? pp_interest_new_of_state(root) : pp_interest_new();
    pp_buf_append(&viewers->name, name, len);
}

static void destroy_view(struct pp_view *view)
{
    for (uint32_t i = 0; i < PP_INTEREST_MAPS; i++)
        pp_set_destroy(&view->maps[i].seen);
    free(view->of);
    *view = (struct pp_view){.kind = PP_VIEW_FREE};
}

void pp_viewers_destroy(struct pp_viewers *viewers)
{
    for (uint32_t i = 0; i < viewers->view_count; i++)
        destroy_view(&viewers->views[i]);
    for (uint32_t i = 0; i < viewers->count; i++)
        pp_sight_destroy(&viewers->list[i].known);
    if (viewers->interest != NULL)
        pp_interest_delete(viewers->interest);
    pp_parcels_delete(viewers->parcels);
    pp_buf_destroy(&viewers->name);
    free(viewers->views);
    free(viewers->list);
    *viewers = (struct pp_viewers){0};
}

/* --- views --- */

uint32_t pp_viewers_add_view(struct pp_viewers *viewers)
{
    uint32_t number = viewers->view_hint;
    while (number < viewers->view_count && viewers->views[number].kind != PP_VIEW_FREE)
        number++;
    if (number == viewers->view_cap) {
        viewers->view_cap = number != 0 ? number * 2 : 16;
        viewers->views = pp_realloc(viewers->views, viewers->view_cap * sizeof *viewers->views);
    }
    viewers->view_count += number == viewers->view_count;
    viewers->view_hint = number + 1;
    viewers->views[number] = (struct pp_view){.kind = PP_VIEW_ALL};
    return number;
}

void pp_viewers_free_view(struct pp_viewers *viewers, uint32_t view)
{
    if (viewers->views[view].kind == PP_VIEW_NEAR) {
        viewers->radiuses -= viewers->views[view].radius;
        viewers->near_count--;
    }
    destroy_view(&viewers->views[view]);
    viewers->view_hint = view < viewers->view_hint ? view : viewers->view_hint;
}

void pp_view_choose(struct pp_viewers *viewers, uint32_t view, int map, int place)
{
    struct pp_view *chosen = &viewers->views[view];
    chosen->kind = PP_VIEW_LISTED;
    chosen->maps[map].chosen = true;
    chosen->maps[map].place = place;
}

void pp_view_set_near(struct pp_viewers *viewers, uint32_t view, double radius, double margin, const char *of,
                      size_t len, int of_place)
{
    struct pp_view *near = &viewers->views[view];
    near->kind = PP_VIEW_NEAR;
    near->radius = radius;
    near->margin = margin;
    near->of = of != NULL ? pp_strndup(of, len) : NULL;
    near->of_len = len;
    near->of_place = of_place;
    viewers->radiuses += radius;
    viewers->near_count++;
}

/* --- what is seen --- */

static void find_near(struct pp_viewers *viewers, const struct pp_view *view, int place, struct pp_set *seen)
{
    double usual = viewers->radiuses / viewers->near_count;
    struct pp_set before = {0};
    if (view->margin > 0)
        pp_set_copy(&before, seen);
    pp_set_clear(seen);
    if (!view->placed)
        return;
    if (view->margin > 0) {
        pp_interest_find(viewers->interest, place, view->x, view->y, view->radius + view->margin, usual, seen);
        for (uint32_t i = 0; i < seen->count; i++)
            seen->words[i] &= pp_set_word(&before, i);
        pp_set_destroy(&before);
    }
    pp_interest_find(viewers->interest, place, view->x, view->y, view->radius, usual, seen);
}

/* What the view sees of what was looked at last. Of one that is listed what is gone is taken out. */
static void bring_up_to_date(struct pp_viewers *viewers, struct pp_view *view)
{
    double x, y;
    if (view->looks_at == viewers->looks)
        return;
    view->looks_at = viewers->looks;
    if (view->of != NULL && pp_interest_where(viewers->interest, view->of_place, view->of, view->of_len, &x, &y)) {
        view->x = x;
        view->y = y;
        view->placed = true;
    }
    for (uint32_t m = 0; m < pp_interest_map_count(viewers->interest); m++) {
        struct pp_set *seen = &view->maps[m].seen;
        const struct pp_set *there = pp_interest_there(viewers->interest, (int)m);
        if (!view->maps[m].chosen)
            continue;
        if (view->kind == PP_VIEW_NEAR)
            find_near(viewers, view, view->maps[m].place, seen);
        for (uint32_t i = 0; view->kind == PP_VIEW_LISTED && i < seen->count; i++)
            seen->words[i] &= pp_set_word(there, i);
    }
}

struct pp_sight pp_viewers_seen(struct pp_viewers *viewers, uint32_t view)
{
    struct pp_sight seen = {.maps = pp_interest_map_count(viewers->interest)};
    struct pp_view *by = &viewers->views[view];
    bring_up_to_date(viewers, by);
    for (uint32_t m = 0; m < seen.maps; m++)
        seen.sets[m] = by->maps[m].chosen ? by->maps[m].seen : *pp_interest_there(viewers->interest, (int)m);
    return seen;
}

void pp_viewers_note(struct pp_viewers *viewers, struct pp_viewer *viewer, const struct pp_sight *seen)
{
    for (uint32_t m = 0; m < seen->maps; m++)
        pp_set_copy(&viewer->known.sets[m], &seen->sets[m]);
    viewer->known.maps = seen->maps;
    if (viewer->state == PP_VIEWER_BEHIND)
        pp_interest_unkeep(viewers->interest);
    viewer->state = PP_VIEWER_EVEN;
}

void pp_viewers_look(struct pp_viewers *viewers, const struct pp_value *before, const struct pp_value *now)
{
    viewers->looks++;
    pp_interest_look(viewers->interest, before, now);
}

void pp_viewers_look_at_state(struct pp_viewers *viewers, bool changed)
{
    viewers->looks++;
    pp_interest_look_at_state(viewers->interest, changed);
}

/* --- viewers --- */

uint32_t pp_viewers_add(struct pp_viewers *viewers, struct pp_member *member, uint32_t view, double version, bool even)
{
    uint32_t number = viewers->hint;
    while (number < viewers->count && viewers->list[number].state != PP_VIEWER_FREE)
        number++;
    if (number == viewers->cap) {
        viewers->cap = number != 0 ? number * 2 : 16;
        viewers->list = pp_realloc(viewers->list, viewers->cap * sizeof *viewers->list);
    }
    viewers->count += number == viewers->count;
    viewers->hint = number + 1;
    struct pp_viewer *viewer = &viewers->list[number];
    *viewer = (struct pp_viewer){.state = PP_VIEWER_WAITING, .member = member, .view = view, .version = version};
    struct pp_sight all = {.maps = pp_interest_map_count(viewers->interest)};
    for (uint32_t m = 0; m < all.maps; m++)
        all.sets[m] = *pp_interest_there(viewers->interest, (int)m);
    if (even)
        pp_viewers_note(viewers, viewer, &all);
    return number;
}

void pp_viewers_set_state(struct pp_viewers *viewers, uint32_t viewer, enum pp_viewer_state state)
{
    struct pp_viewer *at = &viewers->list[viewer];
    if (at->state == PP_VIEWER_BEHIND && state != PP_VIEWER_BEHIND)
        pp_interest_unkeep(viewers->interest);
    if (at->state != PP_VIEWER_BEHIND && state == PP_VIEWER_BEHIND)
        pp_interest_keep(viewers->interest);
    at->state = state;
}

void pp_viewers_remove(struct pp_viewers *viewers, uint32_t viewer)
{
    pp_viewers_set_state(viewers, viewer, PP_VIEWER_FREE);
    pp_sight_destroy(&viewers->list[viewer].known);
    viewers->hint = viewer < viewers->hint ? viewer : viewers->hint;
}

void pp_viewers_write_whole(struct pp_viewers *viewers, uint32_t viewer, double version, struct pp_buf *out)
{
    struct pp_viewer *at = &viewers->list[viewer];
    struct pp_sight seen = pp_viewers_seen(viewers, at->view);
    pp_interest_write_whole(viewers->interest, &seen, out);
    pp_viewers_note(viewers, at, &seen);
    at->version = version;
}

static bool write_since(struct pp_viewers *viewers, const struct pp_sight *known, const struct pp_sight *seen,
                        const struct pp_viewers_past *past, struct pp_buf *out)
{
    if (viewers->frames)
        return pp_interest_write_from_copy(viewers->interest, past->copy, known, seen, out);
    if (!pp_interest_write_from(viewers->interest, past->tree, known, seen, out))
        pp_buf_append_string(out, "{}");
    return true;
}

bool pp_viewers_write_since(struct pp_viewers *viewers, uint32_t viewer, const struct pp_viewers_past *past,
                            double version, struct pp_buf *out)
{
    struct pp_viewer *at = &viewers->list[viewer];
    size_t start = out->len;
    if (at->known.maps != pp_interest_map_count(viewers->interest))
        return false;
    struct pp_sight seen = pp_viewers_seen(viewers, at->view);
    if (!write_since(viewers, &at->known, &seen, past, out))
        return false;
    size_t len = out->len - start;
    pp_interest_write_whole(viewers->interest, &seen, out);
    bool shorter = len < out->len - start - len;
    out->len = start + (shorter ? len : 0);
    if (!shorter)
        return false;
    pp_viewers_note(viewers, at, &seen);
    at->version = version;
    return true;
}
