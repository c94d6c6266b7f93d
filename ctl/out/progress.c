/*
 * How far a long command has come.  Only carriage returns and blanks, which
 * every terminal understands; must never write a line that wraps.
 */
#include "ctl/out/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/duration.h"

enum { INTERVAL_MS = 100, LINE_SIZE = 128, COLUMNS = 80 };

void
out_progress_begin(struct out_progress *ret_progress, size_t total,
    const char *counted, bool quiet)
{
	*ret_progress = (struct out_progress){
	    .on = !quiet && isatty(STDERR_FILENO),
	    .total = total,
	    .counted = counted,
	    .started_ms = jw_clock_monotonic_ms(),
	};
}

static int
columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col;
	return COLUMNS;
}

/* "120 of 1000 key sets (12 %), 800 a second, 2s left" */
static void
describe(const struct out_progress *progress, size_t done, int64_t elapsed,
    char *line)
{
	size_t total = progress->total > 0 ? progress->total : 1;
	int at = snprintf(line, LINE_SIZE, "%zu of %zu %s (%zu %%)", done,
	    progress->total, progress->counted, 100 * done / total);
	char left[JW_DURATION_SIZE];
	int64_t rate;

	if (elapsed < 1000 || done == 0)
		return;
	rate = (int64_t)done * 1000 / elapsed;
	jw_duration_format(
	    (int64_t)(progress->total - done) * elapsed / (int64_t)done / 1000,
	    left);
	snprintf(line + at, (size_t)(LINE_SIZE - at),
	    ", %lld a second, %s left", (long long)rate, left);
}

void
out_progress_show(struct out_progress *progress, size_t done)
{
	int64_t now = jw_clock_monotonic_ms();
	char line[LINE_SIZE];
	int shown, width;

	if (!progress->on || now - progress->shown_ms < INTERVAL_MS)
		return;
	progress->shown_ms = now;
	describe(progress, done, now - progress->started_ms, line);
	width = columns() - 1;
	shown = fprintf(stderr, "\r%.*s", width, line) - 1;
	if (shown < progress->shown)
		fprintf(stderr, "%*s", progress->shown - shown, "");
	progress->shown = shown;
	fflush(stderr);
}

void
out_progress_clear(struct out_progress *progress)
{
	if (progress->shown > 0)
		fprintf(stderr, "\r%*s\r", progress->shown, "");
	progress->shown = 0;
}
