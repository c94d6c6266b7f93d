/*
 * A merge of plans: a heap of key sets by the time of the next step of each.
 * Must never plan beyond the time that it is asked for, nor keep a step that
 * has been returned.
 */
#include "daemon/verbs/forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/deadline_heap.h"
#include "common/base/memory.h"

/* One key set, at its next step in virtual time. */
struct course {
	struct jw_deadline item; /* the first member; due: its next step */
	struct lc_env env;
	int64_t set_id;
	int64_t until;
	struct key_set_facts facts;
	size_t count;
	size_t room; /* for generations */
	char *key_set;
	struct generation gens[];
};

struct verbs_forecast {
	struct jw_deadlines heap;
};

static void
course_free(struct course *course)
{
	if (course != NULL)
		free(course->key_set);
	free(course);
}

/* Keep a view of the key set; the course may move in memory. */
static struct course *
course_keep(struct course *take_course, const struct lc_set *view)
{
	struct course *course = take_course;

	if (view->count > course->room) {
		course = jw_realloc(course,
		    sizeof(*course) + view->count * sizeof(course->gens[0]));
		course->room = view->count;
	}
	course->facts = view->facts;
	course->count = view->count;
	memcpy(course->gens, view->gens, view->count * sizeof(course->gens[0]));
	return course;
}

static void
course_view(const struct course *course, struct lc_set *ret_view)
{
	ret_view->facts = course->facts;
	ret_view->count = course->count;
	memcpy(ret_view->gens, course->gens,
	    course->count * sizeof(course->gens[0]));
}

/* Put a course into the heap for its next step; without one, free it. */
static void
enqueue(struct verbs_forecast *forecast, struct course *take_course,
    const struct lc_set *view)
{
	int64_t due;

	if (!lc_plan_due(view, &take_course->env, take_course->until, &due)) {
		course_free(take_course);
		return;
	}
	jw_deadlines_set(
	    &forecast->heap, &course_keep(take_course, view)->item, due);
}

struct verbs_forecast *
verbs_forecast_new(void)
{
	return jw_zalloc(sizeof(struct verbs_forecast));
}

void
verbs_forecast_free(struct verbs_forecast *forecast)
{
	if (forecast == NULL)
		return;
	for (size_t i = 0; i < forecast->heap.count; i++)
		course_free((struct course *)(void *)forecast->heap.items[i]);
	jw_deadlines_done(&forecast->heap);
	free(forecast);
}

void
verbs_forecast_add(struct verbs_forecast *forecast, const char *key_set,
    int64_t set_id, const struct lc_set *view, const struct lc_env *env,
    int64_t until)
{
	struct course *course = jw_zalloc(sizeof(*course));

	course->env = *env;
	course->env.pairs_coming = 0;
	course->set_id = set_id;
	course->until = until;
	course->key_set = jw_strdup(key_set);
	enqueue(forecast, course, view);
}

bool
verbs_forecast_next(
    struct verbs_forecast *forecast, struct verbs_forecast_step *ret_step)
{
	struct course *course =
	    (struct course *)(void *)jw_deadlines_first(&forecast->heap);
	struct lc_set view;

	if (course == NULL)
		return false;
	jw_deadlines_remove(&forecast->heap, &course->item);
	course_view(course, &view);
	snprintf(ret_step->key_set, sizeof(ret_step->key_set), "%s",
	    course->key_set);
	ret_step->set_id = course->set_id;
	lc_plan_step(&view, &course->env, ret_step->changes, &ret_step->count);
	enqueue(forecast, course, &view);
	return true;
}

bool
verbs_forecast_is_empty(const struct verbs_forecast *forecast)
{
	return forecast->heap.count == 0;
}
