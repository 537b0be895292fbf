/* What passes on a carried connection: what the client says is recorded, then forwarded; what the server answers is
   forwarded, then recorded. */
#include "lanes.h"
#include <string.h>
#include <stdlib.h>
#include <errno.h>

static long long micros(const Lane *lane)
{
    return (now() - lane->began) / 1000;
}

int lane_record(Lane *lane, const Line *line)
{
    char *lines = lane->lanes->lines;
    const long long count = (lane->pending_size ? 2 : 0) + (line != NULL ? 1 : 0);
    size_t size = lane->pending_size;
    if (!count)
        return 0;
    memcpy(lines, lane->pending, size);
    if (line != NULL) {
        memcpy(lines + size, line->text, line->size);
        size += line->size;
    }
    lane->pending_size = 0;
    lane->room -= (long long)size + 64;
    return lane->recording->add(lane->recording->frames, lines, size, count, 0);
}

static int tells(Lane *lane, const char *text, size_t size)
{
    if (lane->told_next + size > lane->told_room) {
        const size_t room = 2 * lane->told_room + size + 1024;
        char *more = realloc(lane->told, room);
        if (more == NULL)
            return 0;
        lane->told = more;
        lane->told_room = room;
    }
    memcpy(lane->told + lane->told_next, text, size);
    lane->told_next += size;
    return 1;
}

/* The beginning of what is told when it is over; the line says what is asked behind its second comma. */
static int tells_asked(Lane *lane, long long at, const Line *line)
{
    Line begin;
    const char *asked = memchr(line->text, '{', line->size);
    begin.size = 0;
    begin.failed = 0;
    line_say(&begin, lane->told_size ? ",{\"at\":" : "{\"at\":");
    line_count(&begin, at);
    line_say(&begin, ",\"asked\":");
    lane->told_next = lane->told_size;
    return asked != NULL && tells(lane, begin.text, begin.size)
        && tells(lane, asked, line->size - (size_t)(asked - line->text) - 2); /* without "]\n" */
}

static int tells_answered(Lane *lane, long long lasted, const Answer *answer)
{
    Line end;
    end.size = 0;
    end.failed = 0;
    line_say(&end, ",\"lasted\":");
    line_count(&end, lasted);
    if (answer->rows >= 0) {
        line_say(&end, ",\"rows\":");
        line_count(&end, answer->rows);
    }
    line_say(&end, ",\"outcome\":\"ok\",\"bytes_out\":");
    line_count(&end, answer->bytes_out);
    line_say(&end, "}");
    if (!tells(lane, end.text, end.size))
        return 0;
    lane->told_size = lane->told_next;
    return 1;
}

int lane_from_client(Lane *lane)
{
    Line line;
    if (lane->runs || lane->failed)
        return 1; /* it does not wait for its answer, or has left */
    const ssize_t got = end_take(&lane->ends[CLIENT], lane->said, sizeof lane->said);
    if (got <= 0)
        return end_is_over(got);
    const long long at = micros(lane);
    lane->said_size = (size_t)got;
    const Bytes said = {lane->said, (Py_ssize_t)got};
    if (lane->odd || got == sizeof lane->said || lane->room < ROOM + PENDING + 128 || lane->told_size > MOST_TOLD
        || statement_ask(said, lane->n + 1, at, &lane->known, &line, &lane->expects) <= 0
        || !tells_asked(lane, at, &line)) {
        lane->unread = (size_t)got;
        return 1;
    }
    lane->failed = lane_record(lane, &line);
    if (lane->failed)
        return 1;
    lane->n++;
    lane->at = at;
    lane->runs = 1;
    lane->was_bound = lane->expects != 'Q';
    if (!lane->was_bound)
        lane->queried = lane->n;
    return !end_give(&lane->ends[SERVER], lane->said, (size_t)got);
}

static void settle(Lane *lane, const Answer *answer)
{
    const char state = (char)answer->state.at[0];
    lane->runs = 0;
    if (state == 'I' && lane->state != 'I') {
        lane->ended = 1;
        lane->bound_size = 0;
    } else if (lane->was_bound) {
        memcpy(lane->bound, lane->said, lane->said_size);
        lane->bound_size = lane->said_size;
        lane->bound_n = lane->n;
    }
    lane->state = state;
}

int lane_from_server(Lane *lane)
{
    Answer answer;
    Line lines;
    unsigned char *chunk = lane->lanes->chunk;
    if (!lane->runs || lane->failed)
        return 1; /* it speaks without being asked, or has left */
    const ssize_t got = end_take(&lane->ends[SERVER], chunk, CHUNK);
    if (got <= 0)
        return end_is_over(got);
    if (lane->odd || got == CHUNK || !statement_answer((Bytes){chunk, (Py_ssize_t)got}, lane->expects, &answer)) {
        lane->answer = (char *)copied(chunk, (size_t)got);
        lane->answer_size = lane->answer != NULL ? (size_t)got : 0;
        if (lane->answer == NULL)
            lane->failed = ENOMEM;
        return 1;
    }
    const int took = end_give(&lane->ends[CLIENT], chunk, (size_t)got);
    const long long at = micros(lane);
    statement_tell(&lines, lane->n, at, &answer);
    memcpy(lane->pending, lines.text, lines.size);
    lane->pending_size = lines.size;
    if (!lane->lanes->flush_at)
        lane->lanes->flush_at = now() + QUIET;
    settle(lane, &answer);
    if (!tells_answered(lane, at - lane->at, &answer))
        lane->failed = ENOMEM;
    return !took || lane->failed;
}
