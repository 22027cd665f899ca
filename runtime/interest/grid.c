/* A hash of squares: the points are sorted by the bucket of their square. Squares that share a bucket cost a look at
 * more points and nothing else, for each point's distance is looked at. */
#include "interest/grid.h"

#include <math.h>

#define FAR 4503599627370496.0 /* 2^52: squares beyond are taken for the last one */
#define ROUNDING 1e-15         /* of a sum, and of a difference that is looked at later */

static int64_t square(const struct pp_grid *grid, double at)
{
    double place = floor(at / grid->cell);
    return (int64_t)(place > FAR ? FAR : place < -FAR ? -FAR : place);
}

static uint32_t bucket(const struct pp_grid *grid, int64_t x, int64_t y)
{
    uint64_t hash = (uint64_t)x * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)y * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (uint32_t)(hash >> 32) & (grid->buckets - 1);
}

static void make_room(struct pp_grid *grid, uint32_t count)
{
    uint32_t buckets = 16;
    while (buckets < count)
        buckets *= 2;
    if (count > grid->cap) {
        grid->cap = count + count / 2;
        grid->points = pp_realloc(grid->points, grid->cap * sizeof *grid->points);
    }
    if (buckets != grid->buckets) {
        grid->buckets = buckets;
        grid->starts = pp_realloc(grid->starts, (buckets + (size_t)1) * sizeof *grid->starts);
    }
    memset(grid->starts, 0, (buckets + (size_t)1) * sizeof *grid->starts);
}

void pp_grid_fill(struct pp_grid *grid, const struct pp_grid_point *points, uint32_t count, double cell)
{
    make_room(grid, count);
    grid->count = count;
    grid->cell = cell > 0 ? cell : 1;
    uint32_t *starts = grid->starts;
    for (uint32_t i = 0; i < count; i++)
        starts[bucket(grid, square(grid, points[i].x), square(grid, points[i].y))]++;
    uint32_t end = 0;
    for (uint32_t i = 0; i <= grid->buckets; i++)
        starts[i] = end += i < grid->buckets ? starts[i] : 0;
    for (uint32_t i = 0; i < count; i++) /* from each bucket's end to its beginning */
        grid->points[--starts[bucket(grid, square(grid, points[i].x), square(grid, points[i].y))]] = points[i];
}

static void look_at(const struct pp_grid *grid, uint32_t from, uint32_t to, const struct pp_grid_point *centre,
                    double radius, struct pp_set *found)
{
    for (uint32_t i = from; i < to; i++) {
        const struct pp_grid_point *point = &grid->points[i];
        double x = point->x - centre->x, y = point->y - centre->y;
        if (x * x + y * y <= radius * radius)
            pp_set_add(found, point->number);
    }
}

void pp_grid_find(const struct pp_grid *grid, double x, double y, double radius, struct pp_set *found)
{
    struct pp_grid_point centre = {x, y, 0};
    double side = 2 * radius / grid->cell + 2; /* squares; an infinite radius is fine */
    if (grid->count == 0)
        return;
    if (!(side * side < grid->count)) {
        look_at(grid, 0, grid->count, &centre, radius, found);
        return;
    }
    double around_x = radius + (fabs(x) + radius) * ROUNDING, around_y = radius + (fabs(y) + radius) * ROUNDING;
    int64_t left = square(grid, x - around_x), right = square(grid, x + around_x);
    int64_t low = square(grid, y - around_y), high = square(grid, y + around_y);
    for (int64_t at_y = low; at_y <= high; at_y++)
        for (int64_t at_x = left; at_x <= right; at_x++) {
            uint32_t i = bucket(grid, at_x, at_y);
            look_at(grid, grid->starts[i], grid->starts[i + 1], &centre, radius, found);
        }
}

void pp_grid_destroy(struct pp_grid *grid)
{
    free(grid->points);
    free(grid->starts);
    *grid = (struct pp_grid){0};
}
