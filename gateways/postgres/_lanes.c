/* Connections on which only plain statements are run, without Python: what the client says is recorded, then forwarded;
   what the server answers is forwarded, then recorded. express.py says how they get here and how they leave.

   One thread, that of the event loop, does everything here: `Lanes.poll` stands where its selector waits, and lets go of
   Python's lock meanwhile. What it touches then is touched by nobody else. */
#include "_plain.h"
#include "../../audit/recording/_frames.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT, SERVER };
enum { EVENTS = 64, SLOTS = 2048, MOST_NAMES = 1000, CHUNK = 1 << 16, PENDING = 512 };
enum { MOST_TOLD = 8 << 20 }; /* bytes of what is over and that nobody has asked for */
static const long long QUIET = 50 * 1000 * 1000; /* nanoseconds that an answer waits at most to be recorded */

typedef struct { unsigned char *name, *text; Py_ssize_t name_size, text_size; long long size; } Named;
typedef struct Lane Lane;
typedef struct Lanes Lanes;
typedef struct { Lane *lane; int side; } End;

struct Lane {
    PyObject_HEAD
    Lanes *lanes; /* while it rides */
    Lane *before, *after, *handed_after;
    int fd[2], rides, is_handed;
    End ends[2];
    PyObject *adder, *words, *meaning; /* kept */
    const FrameAdder *recording;
    Known known;
    Named *names;
    int names_count;
    long long began; /* nanoseconds of the monotonic clock */
    long long room; /* bytes that the recording may still grow by */
    /* of the statement that was said last */
    unsigned char said[MOST];
    size_t said_size;
    long long n, at;
    int expects, runs, was_bound;
    /* of the transaction */
    unsigned char bound[MOST]; /* the last statement with values in it */
    size_t bound_size;
    char state;
    int ended; /* one has, since it rides */
    /* what waits to be recorded, and to be told */
    char pending[PENDING];
    size_t pending_size;
    char *told;
    size_t told_size, told_next, told_room;
    /* why it is handed back */
    int failed; /* an errno of the recording */
    size_t unread; /* bytes of `said` that are no statement here */
    size_t unsent; /* bytes of `said` that the server did not take */
    char *rest; /* of the server: an answer that is none here, or what the client did not take of one */
    size_t rest_size;
    int rest_is_told;
};

struct Lanes {
    PyObject_HEAD
    int epoll;
    Py_ssize_t count;
    Lane *first, *handed;
    long long flush_at; /* nanoseconds; 0: nothing waits */
    unsigned char chunk[CHUNK];
    char lines[PENDING + ROOM];
};

static PyObject *lanes_type, *lane_type;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

static long long micros(const Lane *lane)
{
    return (now() - lane->began) / 1000;
}

/* The names of prepared statements */

static Named *slot_of(const Lane *lane, Bytes name)
{
    uint32_t hash = 2166136261u;
    for (Py_ssize_t i = 0; i < name.left; i++)
        hash = (hash ^ name.at[i]) * 16777619u;
    for (uint32_t place = hash;; place++) {
        Named *slot = lane->names + place % SLOTS;
        if (slot->name == NULL || (slot->name_size == name.left && !memcmp(slot->name, name.at, (size_t)name.left)))
            return slot;
    }
}

static int find(void *names, Bytes name, Bytes *text, long long *size)
{
    const Lane *lane = names;
    const Named *slot = lane->names == NULL ? NULL : slot_of(lane, name);
    if (slot == NULL || slot->name == NULL)
        return 0;
    *text = (Bytes){slot->text, slot->text_size};
    *size = slot->size;
    return 1;
}

static void forget_names(Lane *lane)
{
    for (int place = 0; lane->names != NULL && place < SLOTS; place++) {
        free(lane->names[place].name);
        free(lane->names[place].text);
    }
    free(lane->names);
    lane->names = NULL;
    lane->names_count = 0;
}

static unsigned char *copied(const void *from, Py_ssize_t size)
{
    unsigned char *made = malloc(size ? (size_t)size : 1);
    if (made != NULL)
        memcpy(made, from, (size_t)size);
    return made;
}

/* name(name, text, size): what it stands for. False where there are too many. */
static PyObject *lane_name(PyObject *object, PyObject *args)
{
    Lane *lane = (Lane *)object;
    const char *name, *text;
    Py_ssize_t name_size, text_size;
    long long size;
    if (!PyArg_ParseTuple(args, "y#y#L", &name, &name_size, &text, &text_size, &size))
        return NULL;
    if (lane->names == NULL && (lane->names = calloc(SLOTS, sizeof *lane->names)) == NULL)
        return PyErr_NoMemory();
    Named *slot = slot_of(lane, (Bytes){(const unsigned char *)name, name_size});
    if (slot->name != NULL || lane->names_count >= MOST_NAMES)
        return PyBool_FromLong(slot->name != NULL);
    Named made = {copied(name, name_size), copied(text, text_size), name_size, text_size, size};
    if (made.name == NULL || made.text == NULL) {
        free(made.name);
        free(made.text);
        return PyErr_NoMemory();
    }
    *slot = made;
    lane->names_count++;
    Py_RETURN_TRUE;
}

/* Recording and telling */

static int record(Lane *lane, const Line *line)
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

/* What passes. Each returns whether the lane has to be handed back. */

static int from_client(Lane *lane)
{
    Line line;
    if (lane->runs)
        return 1; /* it does not wait for its answer, or has left */
    const ssize_t got = recv(lane->fd[CLIENT], lane->said, sizeof lane->said, MSG_DONTWAIT);
    if (got <= 0)
        return !got || (errno != EAGAIN && errno != EINTR);
    const long long at = micros(lane);
    lane->said_size = (size_t)got;
    const Bytes said = {lane->said, (Py_ssize_t)got};
    if (lane->room < ROOM + PENDING + 128 || lane->told_size > MOST_TOLD
        || statement_ask(said, lane->n + 1, at, &lane->known, &line, &lane->expects) <= 0
        || !tells_asked(lane, at, &line)) {
        lane->unread = (size_t)got;
        return 1;
    }
    lane->failed = record(lane, &line);
    if (lane->failed)
        return 1;
    lane->n++;
    lane->at = at;
    lane->runs = 1;
    lane->was_bound = lane->expects != 'Q';
    const ssize_t sent = send(lane->fd[SERVER], lane->said, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
    lane->unsent = (size_t)(got - (sent > 0 ? sent : 0));
    return lane->unsent > 0;
}

static int keeps_rest(Lane *lane, const unsigned char *from, size_t size, int is_told)
{
    lane->rest = (char *)copied(from, (Py_ssize_t)size);
    lane->rest_size = lane->rest != NULL ? size : 0;
    lane->rest_is_told = is_told;
    if (lane->rest == NULL)
        lane->failed = ENOMEM;
    return 1;
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
    }
    lane->state = state;
}

static int from_server(Lane *lane)
{
    Answer answer;
    Line lines;
    unsigned char *chunk = lane->lanes->chunk;
    if (!lane->runs)
        return 1; /* it speaks without being asked, or has left */
    const ssize_t got = recv(lane->fd[SERVER], chunk, CHUNK, MSG_DONTWAIT);
    if (got <= 0)
        return !got || (errno != EAGAIN && errno != EINTR);
    if (!statement_answer((Bytes){chunk, (Py_ssize_t)got}, lane->expects, &answer))
        return keeps_rest(lane, chunk, (size_t)got, 0);
    const ssize_t sent = send(lane->fd[CLIENT], chunk, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
    const long long at = micros(lane);
    statement_tell(&lines, lane->n, at, &answer);
    memcpy(lane->pending, lines.text, lines.size);
    lane->pending_size = lines.size;
    if (!lane->lanes->flush_at)
        lane->lanes->flush_at = now() + QUIET;
    settle(lane, &answer);
    if (!tells_answered(lane, at - lane->at, &answer)) {
        lane->failed = ENOMEM;
        return 1;
    }
    return sent < got && keeps_rest(lane, chunk + (sent > 0 ? sent : 0), (size_t)(got - (sent > 0 ? sent : 0)), 1);
}

/* Coming and going */

static void get_off(Lane *lane)
{
    if (!lane->rides)
        return;
    lane->rides = 0;
    for (int side = CLIENT; side <= SERVER; side++)
        epoll_ctl(lane->lanes->epoll, EPOLL_CTL_DEL, lane->fd[side], NULL);
}

static void hand_back(Lane *lane)
{
    get_off(lane);
    lane->is_handed = 1;
    lane->handed_after = lane->lanes->handed;
    lane->lanes->handed = lane;
}

static void flush_all(Lanes *lanes)
{
    lanes->flush_at = 0;
    for (Lane *lane = lanes->first; lane != NULL; lane = lane->after)
        if (lane->rides && lane->pending_size && (lane->failed = record(lane, NULL)))
            hand_back(lane);
}

/* Not one of the riders any more. With Python's lock. */
static void unlist(Lane *lane)
{
    Lanes *lanes = lane->lanes;
    if (lanes == NULL)
        return;
    get_off(lane);
    if (lane->is_handed)
        for (Lane **place = &lanes->handed; *place != NULL; place = &(*place)->handed_after)
            if (*place == lane) {
                *place = lane->handed_after;
                break;
            }
    lane->is_handed = 0;
    if (lane->before != NULL)
        lane->before->after = lane->after;
    else
        lanes->first = lane->after;
    if (lane->after != NULL)
        lane->after->before = lane->before;
    lane->before = lane->after = lane->handed_after = NULL;
    lane->lanes = NULL;
    lanes->count--;
    Py_DECREF(lanes);
    Py_DECREF(lane);
}

/* ride(lanes, (client, server), (n, state, room)) */
static PyObject *lane_ride(PyObject *object, PyObject *args)
{
    Lane *lane = (Lane *)object;
    Lanes *lanes;
    int state;
    if (lane->lanes != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it rides already");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!(ii)(LCL)", lanes_type, &lanes, &lane->fd[CLIENT], &lane->fd[SERVER], &lane->n, &state,
                          &lane->room))
        return NULL;
    lane->state = (char)state;
    lane->runs = lane->ended = lane->failed = lane->was_bound = 0;
    lane->bound_size = lane->pending_size = lane->unread = lane->unsent = 0;
    for (int side = CLIENT; side <= SERVER; side++) {
        lane->ends[side] = (End){lane, side};
        struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = &lane->ends[side]};
        if (epoll_ctl(lanes->epoll, EPOLL_CTL_ADD, lane->fd[side], &wanted)) {
            PyErr_SetFromErrno(PyExc_OSError);
            if (side == SERVER)
                epoll_ctl(lanes->epoll, EPOLL_CTL_DEL, lane->fd[CLIENT], NULL);
            return NULL;
        }
    }
    lane->rides = 1;
    lane->lanes = (Lanes *)Py_NewRef((PyObject *)lanes);
    lane->before = NULL;
    lane->after = lanes->first;
    if (lanes->first != NULL)
        lanes->first->before = lane;
    lanes->first = (Lane *)Py_NewRef(object);
    lanes->count++;
    Py_RETURN_NONE;
}

static PyObject *failed_with(int failed)
{
    errno = failed;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* flush(): what waits is recorded. Raises OSError. */
static PyObject *lane_flush(PyObject *object, PyObject *none)
{
    Lane *lane = (Lane *)object;
    (void)none;
    if (lane->lanes != NULL && !lane->failed)
        lane->failed = record(lane, NULL);
    if (lane->failed)
        return failed_with(lane->failed);
    Py_RETURN_NONE;
}

/* told(): what is over since, as a list of JSON. */
static PyObject *lane_told(PyObject *object, PyObject *none)
{
    Lane *lane = (Lane *)object;
    const size_t running = lane->told_next - lane->told_size;
    (void)none;
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)lane->told_size + 2);
    if (made == NULL)
        return NULL;
    char *text = PyBytes_AsString(made);
    text[0] = '[';
    memcpy(text + 1, lane->told, lane->told_size);
    text[lane->told_size + 1] = ']';
    if (lane->runs && running) { /* a comma too many, of what was not the first */
        const size_t comma = lane->told_size && lane->told[lane->told_size] == ',';
        memmove(lane->told, lane->told + lane->told_size + comma, running - comma);
        lane->told_next = running - comma;
    } else
        lane->told_next = 0;
    lane->told_size = 0;
    if (!lane->told_next && lane->told_room > CHUNK) {
        free(lane->told);
        lane->told = NULL;
        lane->told_room = 0;
    }
    return made;
}

/* leave(): nothing passes without Python any more; what it has to know of what did. See `Left` in express.py. */
static PyObject *lane_leave(PyObject *object, PyObject *none)
{
    Lane *lane = (Lane *)object;
    (void)none;
    if (lane->lanes == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it does not ride");
        return NULL;
    }
    if (!lane->failed)
        lane->failed = record(lane, NULL);
    const int state = lane->state;
    PyObject *made = Py_BuildValue(
        "{s:L,s:L,s:i,s:O,s:C,s:O,s:y#,s:y#,s:y#,s:y#,s:y#,s:y#,s:i}", "n", lane->n, "at", lane->at, "expects",
        lane->expects, "runs", lane->runs ? Py_True : Py_False, "state", state, "ended",
        lane->ended ? Py_True : Py_False, "asked", (char *)lane->said, (Py_ssize_t)(lane->runs ? lane->said_size : 0),
        "bound", (char *)lane->bound, (Py_ssize_t)lane->bound_size, "said", (char *)lane->said,
        (Py_ssize_t)lane->unread, "unsent", (char *)lane->said + lane->said_size - lane->unsent,
        (Py_ssize_t)lane->unsent, "answer", lane->rest_is_told || lane->rest == NULL ? "" : lane->rest,
        (Py_ssize_t)(lane->rest_is_told ? 0 : lane->rest_size), "untaken",
        lane->rest_is_told && lane->rest != NULL ? lane->rest : "",
        (Py_ssize_t)(lane->rest_is_told ? lane->rest_size : 0), "failed", lane->failed);
    free(lane->rest);
    lane->rest = NULL;
    lane->rest_size = 0;
    lane->rest_is_told = 0;
    lane->told_next = lane->told_size;
    unlist(lane);
    return made;
}

static PyObject *lane_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *adder, *words, *meaning;
    char *text;
    Py_ssize_t size;
    long long began;
    (void)named;
    if (!PyArg_ParseTuple(args, "OSSL", &adder, &words, &meaning, &began))
        return NULL;
    const FrameAdder *recording = PyCapsule_GetPointer(adder, FRAME_ADDER);
    if (recording == NULL)
        return NULL;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Lane *lane = (Lane *)make(type, 0);
    if (lane == NULL)
        return NULL;
    lane->adder = Py_NewRef(adder);
    lane->words = Py_NewRef(words);
    lane->meaning = Py_NewRef(meaning);
    lane->recording = recording;
    lane->began = began;
    lane->state = 'I';
    lane->known = (Known){find, lane, {NULL, 0}, {NULL, 0}};
    if (PyBytes_AsStringAndSize(words, &text, &size) == 0)
        lane->known.words = (Bytes){(unsigned char *)text, size};
    if (PyBytes_AsStringAndSize(meaning, &text, &size) == 0)
        lane->known.meaning = (Bytes){(unsigned char *)text, size};
    return (PyObject *)lane;
}

static void lane_free(PyObject *object)
{
    Lane *lane = (Lane *)object; /* it does not ride: the riders are kept */
    PyTypeObject *type = Py_TYPE(object);
    forget_names(lane);
    free(lane->told);
    free(lane->rest);
    Py_XDECREF(lane->adder);
    Py_XDECREF(lane->words);
    Py_XDECREF(lane->meaning);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* Waiting */

static int waits_for(const Lanes *lanes, long long until)
{
    if (lanes->flush_at && (until < 0 || lanes->flush_at < until))
        until = lanes->flush_at;
    if (until < 0)
        return -1;
    const long long left = until - now();
    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

/* Until somebody else's descriptor is ready, one is handed back, or the time is over. Whether the first. */
static int carry(Lanes *lanes, long long until, int *failed)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        const int count = epoll_wait(lanes->epoll, events, EVENTS, waits_for(lanes, until));
        int others = 0;
        if (count < 0) {
            *failed = errno == EINTR ? 0 : errno;
            return 0;
        }
        for (int i = 0; i < count; i++) {
            const End *end = events[i].data.ptr;
            if (end == NULL) {
                others = 1;
                continue;
            }
            Lane *lane = end->lane;
            if (!lane->rides)
                continue;
            const int plain = (events[i].events & ~(uint32_t)EPOLLIN) == 0;
            if (!plain || (end->side == CLIENT ? from_client(lane) : from_server(lane)))
                hand_back(lane);
        }
        const long long time = now();
        if (lanes->flush_at && lanes->flush_at <= time)
            flush_all(lanes);
        if (others || lanes->handed != NULL || (until >= 0 && until <= time))
            return others;
    }
}

/* poll(seconds): (whether another descriptor is ready, the clients of those that are handed back) */
static PyObject *lanes_poll(PyObject *object, PyObject *args)
{
    Lanes *lanes = (Lanes *)object;
    double seconds;
    int others, failed = 0;
    if (!PyArg_ParseTuple(args, "d", &seconds))
        return NULL;
    const long long until = seconds < 0 ? -1 : now() + (long long)ceil(fmin(seconds, 86400) * 1e9);
    Py_BEGIN_ALLOW_THREADS
    others = carry(lanes, until, &failed);
    Py_END_ALLOW_THREADS
    if (failed)
        return failed_with(failed);
    PyObject *handed = PyList_New(0);
    while (handed != NULL && lanes->handed != NULL) {
        Lane *lane = lanes->handed;
        PyObject *client = PyLong_FromLong(lane->fd[CLIENT]);
        if (client == NULL || PyList_Append(handed, client) < 0)
            Py_CLEAR(handed);
        else {
            lanes->handed = lane->handed_after;
            lane->is_handed = 0;
            lane->handed_after = NULL;
        }
        Py_XDECREF(client);
    }
    return handed == NULL ? NULL : Py_BuildValue("(NN)", PyBool_FromLong(others), handed);
}

static PyObject *lanes_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    int others;
    (void)named;
    if (!PyArg_ParseTuple(args, "i", &others))
        return NULL;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Lanes *lanes = (Lanes *)make(type, 0);
    if (lanes == NULL)
        return NULL;
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    lanes->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (lanes->epoll < 0 || epoll_ctl(lanes->epoll, EPOLL_CTL_ADD, others, &wanted)) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(lanes);
        return NULL;
    }
    return (PyObject *)lanes;
}

static PyObject *lanes_close(PyObject *object, PyObject *none)
{
    Lanes *lanes = (Lanes *)object;
    (void)none;
    while (lanes->first != NULL)
        unlist(lanes->first);
    if (lanes->epoll >= 0)
        close(lanes->epoll);
    lanes->epoll = -1;
    Py_RETURN_NONE;
}

static void lanes_free(PyObject *object)
{
    Lanes *lanes = (Lanes *)object; /* nobody rides: the riders keep it */
    PyTypeObject *type = Py_TYPE(object);
    if (lanes->epoll >= 0)
        close(lanes->epoll);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *lanes_count(PyObject *object, void *none)
{
    (void)none;
    return PyLong_FromSsize_t(((Lanes *)object)->count);
}

static PyObject *lane_runs(PyObject *object, void *none)
{
    (void)none;
    return PyBool_FromLong(((Lane *)object)->runs);
}

static PyMethodDef lanes_methods[] = {
    {"poll", lanes_poll, METH_VARARGS, NULL}, {"close", lanes_close, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyGetSetDef lanes_values[] = {{"count", lanes_count, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot lanes_slots[] = {{Py_tp_new, lanes_new},
                                    {Py_tp_dealloc, lanes_free},
                                    {Py_tp_methods, lanes_methods},
                                    {Py_tp_getset, lanes_values},
                                    {0, NULL}};
static PyType_Spec lanes_spec = {"gateways.postgres._plain.Lanes", sizeof(Lanes), 0, Py_TPFLAGS_DEFAULT, lanes_slots};

static PyMethodDef lane_methods[] = {{"name", lane_name, METH_VARARGS, NULL}, {"ride", lane_ride, METH_VARARGS, NULL},
                                     {"flush", lane_flush, METH_NOARGS, NULL}, {"told", lane_told, METH_NOARGS, NULL},
                                     {"leave", lane_leave, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyGetSetDef lane_values[] = {{"runs", lane_runs, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot lane_slots[] = {{Py_tp_new, lane_new},
                                   {Py_tp_dealloc, lane_free},
                                   {Py_tp_methods, lane_methods},
                                   {Py_tp_getset, lane_values},
                                   {0, NULL}};
static PyType_Spec lane_spec = {"gateways.postgres._plain.Lane", sizeof(Lane), 0, Py_TPFLAGS_DEFAULT, lane_slots};

int lanes_add_types(PyObject *module)
{
    lanes_type = PyType_FromSpec(&lanes_spec);
    lane_type = PyType_FromSpec(&lane_spec);
    if (lanes_type == NULL || lane_type == NULL || PyModule_AddObjectRef(module, "Lanes", lanes_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Lane", lane_type);
}
