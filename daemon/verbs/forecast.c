/*
 * A merge of plans: a queue of key sets by the time of the next step of each.
 * Must never look further ahead than it is asked to, nor keep what it has
 * told.
 */
#include "daemon/verbs/forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/deadline_heap.h"

/* One key set on its way through virtual time. */
struct course {
	struct agenda_item item; /* the first member; due: its next step */
	struct lc_env env;
	int64_t set_id;
	int64_t until;
	struct key_set_facts facts;
	size_t count;
	size_t room; /* for generations */
	char *key_set;
	struct generation gens[];
};

struct outlook {
	struct agenda agenda;
};

static void
course_free(struct course *course)
{
	if (course != NULL)
		free(course->key_set);
	free(course);
}

/* Keep a view of the key set; the course may be another one afterwards. */
static struct course *
course_keep(struct course *take_course, const struct lc_set *view)
{
	struct course *course = take_course;

	if (view->count > course->room) {
		course = memory_more(course,
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

/* Queue it for its next step, or drop it. */
static void
enqueue(struct outlook *outlook, struct course *take_course,
    const struct lc_set *view)
{
	int64_t due;

	if (!lc_plan_due(view, &take_course->env, take_course->until, &due)) {
		course_free(take_course);
		return;
	}
	agenda_set(
	    &outlook->agenda, &course_keep(take_course, view)->item, due);
}

struct outlook *
outlook_new(void)
{
	return memory_zero(sizeof(struct outlook));
}

void
outlook_free(struct outlook *outlook)
{
	if (outlook == NULL)
		return;
	for (size_t i = 0; i < outlook->agenda.count; i++)
		course_free((struct course *)(void *)outlook->agenda.items[i]);
	agenda_done(&outlook->agenda);
	free(outlook);
}

void
outlook_add(struct outlook *outlook, const char *key_set, int64_t set_id,
    const struct lc_set *view, const struct lc_env *env, int64_t until)
{
	struct course *course = memory_zero(sizeof(*course));

	course->env = *env;
	course->env.pairs_coming = 0;
	course->set_id = set_id;
	course->until = until;
	course->key_set = memory_copy(key_set);
	enqueue(outlook, course, view);
}

bool
outlook_next(struct outlook *outlook, struct outlook_step *ret_step)
{
	struct course *course =
	    (struct course *)(void *)agenda_first(&outlook->agenda);
	struct lc_set view;

	if (course == NULL)
		return false;
	agenda_remove(&outlook->agenda, &course->item);
	course_view(course, &view);
	snprintf(ret_step->key_set, sizeof(ret_step->key_set), "%s",
	    course->key_set);
	ret_step->set_id = course->set_id;
	lc_plan_step(&view, &course->env, ret_step->changes, &ret_step->count);
	enqueue(outlook, course, &view);
	return true;
}

bool
outlook_is_empty(const struct outlook *outlook)
{
	return outlook->agenda.count == 0;
}
