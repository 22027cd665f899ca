#include "interest/grid.h"

#include <math.h>

#include "harness.h"
#include "random.h"

#define MOST 400

static double number(struct pp_random *random, double range)
{
    double at = (double)(int64_t)(pp_random_next(random) >> 11) / 9007199254740992.0;
    return (at - 0.5) * range;
}

static struct pp_set by_looking_at_all(const struct pp_grid_point *points, uint32_t count, double x, double y,
                                       double radius)
{
    struct pp_set found = {0};
    for (uint32_t i = 0; i < count; i++) {
        double dx = points[i].x - x, dy = points[i].y - y;
        if (dx * dx + dy * dy <= radius * radius)
            pp_set_add(&found, points[i].number);
    }
    return found;
}

static void finds_what_a_look_at_all_finds(void)
{
    static const double ranges[] = {1, 100, 1e6, 1e18, 1e-3}, radii[] = {0, 0.001, 1, 10, 55.5, 1e5, INFINITY};
    struct pp_grid grid = {0};
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct pp_random random = {seed};
        struct pp_grid_point points[MOST];
        uint32_t count = (uint32_t)pp_random_below(&random, MOST);
        double range = ranges[pp_random_below(&random, 5)], step = seed % 3 == 0 ? range / 64 : 0;
        for (uint32_t i = 0; i < count; i++) {
            points[i] = (struct pp_grid_point){number(&random, range), number(&random, range), i * 3};
            if (step > 0) { /* many at the same places, and just at the radius */
                points[i].x = floor(points[i].x / step) * step;
                points[i].y = floor(points[i].y / step) * step;
            }
        }
        pp_grid_fill(&grid, points, count, radii[pp_random_below(&random, 6)]);
        for (unsigned i = 0; i < 10; i++) {
            double radius = step > 0 && i % 2 ? step * i : radii[pp_random_below(&random, 7)];
            const struct pp_grid_point *near = count > 0 ? &points[pp_random_below(&random, count)] : NULL;
            double x = near && i % 3 ? near->x : number(&random, range), y = near ? near->y : 0;
            struct pp_set found = {0}, all = by_looking_at_all(points, count, x, y, radius);
            pp_grid_find(&grid, x, y, radius, &found);
            if (!pp_set_equal(&found, &all))
                printf("seed %lu, question %u\n", (unsigned long)seed, i);
            CU_ASSERT_TRUE(pp_set_equal(&found, &all));
            pp_set_destroy(&found);
            pp_set_destroy(&all);
        }
    }
    pp_grid_destroy(&grid);
}

static void knows_sets(void)
{
    struct pp_set a = {0}, b = {0};
    pp_set_add(&a, 3);
    pp_set_add(&a, 200);
    CU_ASSERT_TRUE(pp_set_has(&a, 3) && pp_set_has(&a, 200) && !pp_set_has(&a, 4) && !pp_set_has(&a, 100000));
    CU_ASSERT_EQUAL(pp_set_size(&a), 2);
    pp_set_copy(&b, &a);
    pp_set_reserve(&b, 100);
    CU_ASSERT_TRUE(pp_set_equal(&a, &b) && pp_set_hash(&a) == pp_set_hash(&b));
    pp_set_clear(&a);
    pp_set_add(&a, 3);
    CU_ASSERT_TRUE(!pp_set_equal(&a, &b) && pp_set_hash(&a) != pp_set_hash(&b));
    pp_set_copy(&b, &a);
    CU_ASSERT_EQUAL(pp_set_size(&b), 1);
    pp_set_destroy(&a);
    pp_set_destroy(&b);
}

int main(void)
{
    return pp_run_suite("interest/grid",
                        (CU_TestInfo[]){{"finds what a look at all points finds", finds_what_a_look_at_all_finds},
                                        {"knows sets of numbers", knows_sets},
                                        CU_TEST_INFO_NULL});
}
