/* The members of a typed room that see a part of its state (interest/interest.h), and what each of them knows.
 *
 * A *view* says what is seen, of some of the state's maps; of the others everything is. A *viewer* is a member with a
 * view; several may have the same. At a tick those that know the same and see the same are sent the same packet. */
#ifndef PP_SCRIPT_VIEWERS_H
#define PP_SCRIPT_VIEWERS_H

#include "base/buf.h"
#include "hub/hub.h"
#include "interest/interest.h"

enum pp_view_kind {
    PP_VIEW_FREE, /* its number is not in use */
    PP_VIEW_ALL,
    PP_VIEW_LISTED, /* what was named */
    PP_VIEW_NEAR,   /* what is around a centre */
};

struct pp_view {
    enum pp_view_kind kind;
    struct {
        int place;          /* of a view of what is near */
        bool chosen;        /* else all of the map is seen */
        struct pp_set seen; /* of what is there since the last look */
    } maps[PP_INTEREST_MAPS];
    double radius, margin; /* who is in stays until it is farther than radius + margin */
    char *of;              /* the entity in the centre; owned; NULL: it does not move by itself */
    size_t of_len;
    int of_place;
    double x, y;
    bool placed;       /* else there is no centre yet, and nothing is near */
    uint32_t looks_at; /* the look that it was made for */
};

enum pp_viewer_state {
    PP_VIEWER_FREE,
    PP_VIEWER_EVEN,    /* it knows what it sees */
    PP_VIEWER_BEHIND,  /* it knows what it saw some time ago */
    PP_VIEWER_WAITING, /* it knows nothing, and is told all when that can be */
};

struct pp_viewer {
    enum pp_viewer_state state;
    struct pp_member *member; /* whose session is NULL once it is gone */
    uint32_t view;
    bool leaving;   /* as soon as it knows all it is a member like others */
    double version; /* of what it was sent last */
    struct pp_sight known;
    /* Of the tick at hand: */
    uint32_t parcel;
};

/* Zero-initialised but for the first three there are none. */
struct pp_viewers {
    const struct pp_encoding *encoding;
    struct pp_interest *interest;
    struct pp_buf name; /* of the room, as JSON; in frames its number */
    bool frames;        /* the state is declared, and told in frames */
    struct pp_view *views;
    uint32_t view_count, view_cap, view_hint; /* no number below the hint is free */
    struct pp_viewer *list;
    uint32_t count, cap, hint;
    uint32_t looks;  /* counts; 0: there was none */
    double radiuses; /* the sum of those of views of what is near, of which there are so many: */
    uint32_t near_count;
    struct pp_encoding plain; /* without compression */
    struct pp_parcels *parcels;
};

/* `root` is a declared state that is told in frames, or NULL. */
void pp_viewers_init(struct pp_viewers *viewers, const struct pp_encoding *encoding, const char *name, size_t len,
                     struct pp_state_block *root);
void pp_viewers_destroy(struct pp_viewers *viewers);

/* The number of a view that sees all; of one that sees a choice, `choose` and what is below says more. */
uint32_t pp_viewers_add_view(struct pp_viewers *viewers);
void pp_viewers_free_view(struct pp_viewers *viewers, uint32_t view);

/* Of that map the view sees a choice; by the coordinates of `place`, or what is named where that is -1. */
void pp_view_choose(struct pp_viewers *viewers, uint32_t view, int map, int place);
void pp_view_set_near(struct pp_viewers *viewers, uint32_t view, double radius, double margin, const char *of,
                      size_t len, int of_place);

/* The number of a viewer: of a member that knows all of the state that was looked at last (`even`), or nothing. */
uint32_t pp_viewers_add(struct pp_viewers *viewers, struct pp_member *member, uint32_t view, double version, bool even);
void pp_viewers_remove(struct pp_viewers *viewers, uint32_t viewer);
void pp_viewers_set_state(struct pp_viewers *viewers, uint32_t viewer, enum pp_viewer_state state);

/* The state was `before` and is `now`, until the next look; they are the same where nothing changed. */
void pp_viewers_look(struct pp_viewers *viewers, const struct pp_value *before, const struct pp_value *now);
void pp_viewers_look_at_state(struct pp_viewers *viewers, bool changed);

/* Do more than `above` bytes wait for one that is even and there? */
bool pp_viewers_are_slow(const struct pp_viewers *viewers, size_t above);

struct pp_viewers_report {
    uint32_t sent, made; /* messages, and how many different ones */
    size_t bytes;        /* of the messages sent, as text */
};

/* Tells each viewer that is even what became different for it, which makes `version`. Those for whom more than `above`
 * bytes wait are behind instead. `told` is called for each that fell behind or that, leaving, knows all; it may not
 * change who is there. */
struct pp_viewers_report pp_viewers_publish(struct pp_viewers *viewers, double version, size_t above,
                                            void (*told)(void *arg, uint32_t viewer, bool fell), void *arg);

/* Appends all that the viewer sees, which is then what it knows: it is even. */
void pp_viewers_write_whole(struct pp_viewers *viewers, uint32_t viewer, double version, struct pp_buf *out);

/* What viewers knew that are behind: the state then, or a copy for those that are told in frames, which has what became
 * different from it (pp_state_keep_since). */
struct pp_viewers_past {
    const struct pp_value *tree;
    const struct pp_state_block *copy;
};

/* The same of a viewer that is behind: what became different since. False where all of it is shorter, or there
 * can be no delta: nothing has happened. */
bool pp_viewers_write_since(struct pp_viewers *viewers, uint32_t viewer, const struct pp_viewers_past *past,
                            double version, struct pp_buf *out);

#endif
