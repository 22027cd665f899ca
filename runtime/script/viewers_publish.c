/* A tick of viewers, in three walks: what each is to be sent, which those that know and see the same share; the
 * sending; and what each knows then. So a message's first viewer still knows what it knew while others are compared
 * with it. */
#include "script/viewers_internal.h"
#include "wire/envelope.h"
#include "wire/frame.h"

#include <stdio.h>

#define TYPE "__pp_room_delta"
#define NONE UINT32_MAX
#define WORTH_COMPRESSING 8 /* viewers that share a message: for one alone it takes longer than all else */

/* A message of this tick. */
struct parcel {
    uint64_t hash;
    uint32_t viewer;  /* the first that it is for */
    uint32_t viewers; /* how many it is for */
    size_t at, len;   /* in the texts; len is 0 where nothing became different */
    struct pp_outgoing out;
};

struct pp_parcels {
    struct parcel *list;
    uint32_t count, cap;
    uint32_t *index; /* by hash, open addressing: a power of two, more than twice as many as viewers */
    uint32_t index_size;
    struct pp_buf texts;
};

void pp_parcels_delete(struct pp_parcels *parcels)
{
    if (parcels == NULL)
        return;
    pp_buf_destroy(&parcels->texts);
    free(parcels->list);
    free(parcels->index);
    free(parcels);
}

static void begin(struct pp_parcels *parcels, uint32_t viewers)
{
    uint32_t size = 64;
    while (size < viewers * 2)
        size *= 2;
    if (size > parcels->index_size) {
        parcels->index_size = size;
        parcels->index = pp_realloc(parcels->index, size * sizeof *parcels->index);
    }
    memset(parcels->index, 0xFF, parcels->index_size * sizeof *parcels->index);
    parcels->count = 0;
    pp_buf_clear(&parcels->texts);
}

/* --- the same message --- */

static uint64_t hash_of(const struct pp_viewer *viewer, const struct pp_sight *seen)
{
    uint64_t hash = (uint64_t)viewer->version * 2 + viewer->leaving;
    for (uint32_t m = 0; m < seen->maps; m++) {
        hash = (hash ^ pp_set_hash(&viewer->known.sets[m])) * UINT64_C(0xD6E8FEB86659FD93);
        hash = (hash ^ pp_set_hash(&seen->sets[m])) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool is_same(struct pp_viewers *viewers, const struct pp_viewer *a, const struct pp_viewer *b,
                    const struct pp_sight *seen)
{
    if (a->version != b->version || a->leaving != b->leaving)
        return false;
    struct pp_sight other = pp_viewers_seen(viewers, b->view);
    for (uint32_t m = 0; m < seen->maps; m++)
        if (!pp_set_equal(&a->known.sets[m], &b->known.sets[m]) || !pp_set_equal(&seen->sets[m], &other.sets[m]))
            return false;
    return true;
}

/* The parcel of those that know and see the same, or where it is to be noted. */
static uint32_t *find(struct pp_viewers *viewers, const struct pp_viewer *viewer, const struct pp_sight *seen,
                      uint64_t hash)
{
    struct pp_parcels *parcels = viewers->parcels;
    uint32_t mask = parcels->index_size - 1;
    for (uint32_t at = (uint32_t)(hash >> 16) & mask;; at = (at + 1) & mask) {
        uint32_t *found = &parcels->index[at];
        if (*found == NONE)
            return found;
        const struct parcel *parcel = &parcels->list[*found];
        if (parcel->hash == hash && is_same(viewers, viewer, &viewers->list[parcel->viewer], seen))
            return found;
    }
}

/* --- making one --- */

static void append_number(struct pp_buf *out, const char *name, double number)
{
    char text[48];
    snprintf(text, sizeof text, "%s%.0f", name, number);
    pp_buf_append_string(out, text);
}

/* Of one that is to be a member like others: the next delta is one to this version. */
static bool must_tell(const struct pp_viewer *viewer, double version)
{
    return viewer->leaving && viewer->version != version;
}

static void append_varint(struct pp_buf *out, uint32_t value)
{
    for (; value >= 128; value /= 128)
        pp_buf_append_char(out, (char)(unsigned char)(value % 128 + 128));
    pp_buf_append_char(out, (char)value);
}

/* Writes what the frame holds: whether there is anything to tell. */
static bool write_frame(struct pp_viewers *viewers, const struct pp_viewer *viewer, const struct pp_sight *seen,
                        double version, struct pp_buf *out)
{
    size_t start = out->len;
    pp_buf_append(out, viewers->name.data, viewers->name.len);
    append_varint(out, (uint32_t)(version - viewer->version));
    if (pp_interest_write(viewers->interest, &viewer->known, seen, must_tell(viewer, version), out))
        return true;
    out->len = start;
    return false;
}

/* The same as a message in JSON. */
static bool write_message(struct pp_viewers *viewers, const struct pp_viewer *viewer, const struct pp_sight *seen,
                          double version, struct pp_buf *out)
{
    size_t start = out->len;
    pp_envelope_begin(out, TYPE, sizeof TYPE - 1);
    pp_buf_append_string(out, "{\"room\":");
    pp_buf_append(out, viewers->name.data, viewers->name.len);
    pp_buf_append_string(out, ",\"delta\":");
    if (!pp_interest_write(viewers->interest, &viewer->known, seen, must_tell(viewer, version), out)) {
        out->len = start;
        return false;
    }
    if (viewer->version != version - 1)
        append_number(out, ",\"from\":", viewer->version);
    append_number(out, ",\"version\":", version);
    pp_buf_append_char(out, '}');
    pp_envelope_end(out, NULL, 0, 0);
    return true;
}

static uint32_t make(struct pp_viewers *viewers, uint32_t number, const struct pp_sight *seen, double version,
                     uint64_t hash)
{
    struct pp_parcels *parcels = viewers->parcels;
    if (parcels->count == parcels->cap) {
        parcels->cap = parcels->cap != 0 ? parcels->cap * 2 : 64;
        parcels->list = pp_realloc(parcels->list, parcels->cap * sizeof *parcels->list);
    }
    struct parcel *parcel = &parcels->list[parcels->count];
    *parcel = (struct parcel){.hash = hash, .viewer = number, .at = parcels->texts.len};
    const struct pp_viewer *viewer = &viewers->list[number];
    bool any = viewers->frames ? write_frame(viewers, viewer, seen, version, &parcels->texts)
                               : write_message(viewers, viewer, seen, version, &parcels->texts);
    if (any)
        parcel->len = parcels->texts.len - parcel->at;
    return parcels->count++;
}

static void choose_parcel(struct pp_viewers *viewers, uint32_t number, double version)
{
    struct pp_viewer *viewer = &viewers->list[number];
    pp_interest_complete(viewers->interest, &viewer->known);
    struct pp_sight seen = pp_viewers_seen(viewers, viewer->view);
    uint64_t hash = hash_of(viewer, &seen);
    uint32_t *found = find(viewers, viewer, &seen, hash);
    if (*found == NONE)
        *found = make(viewers, number, &seen, version, hash);
    viewer->parcel = *found;
    viewers->parcels->list[*found].viewers++;
}

/* --- sending --- */

static bool send_parcel(struct pp_viewers *viewers, struct pp_viewer *viewer, struct parcel *parcel)
{
    parcel->out.encoding = parcel->viewers >= WORTH_COMPRESSING ? viewers->encoding : &viewers->plain;
    parcel->out.control = true;
    parcel->out.only_framed = viewers->frames;
    if (viewers->frames) {
        parcel->out.schema_payload = viewers->parcels->texts.data + parcel->at;
        parcel->out.schema_payload_len = parcel->len;
        parcel->out.type_id = PP_TYPE_ROOM_VIEW;
    } else {
        parcel->out.envelope = viewers->parcels->texts.data + parcel->at;
        parcel->out.envelope_len = parcel->len;
    }
    return pp_session_send(viewer->member->session, &parcel->out, false);
}

static bool is_told(const struct pp_viewer *viewer)
{
    return viewer->state == PP_VIEWER_EVEN && viewer->member->session != NULL &&
           !pp_session_is_outside(viewer->member->session);
}

bool pp_viewers_are_slow(const struct pp_viewers *viewers, size_t above)
{
    for (uint32_t i = 0; i < viewers->count; i++)
        if (is_told(&viewers->list[i]) && pp_session_queued(viewers->list[i].member->session) > above)
            return true;
    return false;
}

static void choose_parcels(struct pp_viewers *viewers, double version, size_t above,
                           void (*told)(void *arg, uint32_t viewer, bool fell), void *arg)
{
    for (uint32_t i = 0; i < viewers->count; i++) {
        struct pp_viewer *viewer = &viewers->list[i];
        viewer->parcel = NONE;
        if (!is_told(viewer))
            continue;
        if (pp_session_queued(viewer->member->session) > above) {
            pp_interest_complete(viewers->interest, &viewer->known);
            pp_viewers_set_state(viewers, i, PP_VIEWER_BEHIND);
            told(arg, i, true);
        } else {
            choose_parcel(viewers, i, version);
        }
    }
}

struct pp_viewers_report pp_viewers_publish(struct pp_viewers *viewers, double version, size_t above,
                                            void (*told)(void *arg, uint32_t viewer, bool fell), void *arg)
{
    struct pp_viewers_report report = {0};
    if (viewers->parcels == NULL)
        viewers->parcels = pp_calloc(1, sizeof *viewers->parcels);
    viewers->plain = *viewers->encoding;
    viewers->plain.compressor = NULL;
    begin(viewers->parcels, viewers->count);
    choose_parcels(viewers, version, above, told, arg);
    for (uint32_t i = 0; i < viewers->count; i++) {
        struct pp_viewer *viewer = &viewers->list[i];
        struct parcel *parcel = viewer->parcel != NONE ? &viewers->parcels->list[viewer->parcel] : NULL;
        if (parcel == NULL || parcel->len == 0)
            continue;
        report.made += parcel->viewer == i;
        report.sent += send_parcel(viewers, viewer, parcel);
        report.bytes += parcel->len;
    }
    for (uint32_t i = 0; i < viewers->count; i++) {
        struct pp_viewer *viewer = &viewers->list[i];
        if (viewer->parcel == NONE)
            continue;
        struct pp_sight seen = pp_viewers_seen(viewers, viewer->view);
        pp_viewers_note(viewers, viewer, &seen);
        viewer->version = viewers->parcels->list[viewer->parcel].len > 0 ? version : viewer->version;
        if (viewer->leaving)
            told(arg, i, false);
    }
    for (uint32_t i = 0; i < viewers->parcels->count; i++)
        pp_outgoing_destroy(&viewers->parcels->list[i].out);
    return report;
}
