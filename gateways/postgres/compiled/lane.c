/* One carried connection: how it is handed over and comes back. */
#include "lanes.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static PyObject *lane_type;

static void get_off(Lane *lane)
{
    if (!lane->rides)
        return;
    lane->rides = 0;
    for (int side = CLIENT; side <= SERVER; side++)
        epoll_ctl(lane->lanes->epoll, EPOLL_CTL_DEL, lane->ends[side].fd, NULL);
}

void lane_hand_back(Lane *lane)
{
    get_off(lane);
    lane->is_handed = 1;
    lane->handed_after = lane->lanes->handed;
    lane->lanes->handed = lane;
}

/* Not one of the riders any more. With Python's lock. */
void lane_unlist(Lane *lane)
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

static void let_go_of(End *end)
{
    Py_CLEAR(end->tls);
    Py_CLEAR(end->incoming);
    Py_CLEAR(end->outgoing);
}

/* From what stands in a tuple: its descriptor, and None or TLS and both its buffers. */
static int made_end(Lane *lane, int side, PyObject *told)
{
    int fd;
    PyObject *tls, *incoming, *outgoing;
    if (!PyArg_ParseTuple(told, "iOOO", &fd, &tls, &incoming, &outgoing))
        return 0;
    End *end = &lane->ends[side];
    let_go_of(end);
    *end = (End){lane, side, fd, NULL, NULL, NULL};
    if (tls != Py_None) {
        end->tls = Py_NewRef(tls);
        end->incoming = Py_NewRef(incoming);
        end->outgoing = Py_NewRef(outgoing);
    }
    return 1;
}

/* ride(lanes, client, server, (n, state, room)) */
static PyObject *lane_ride(PyObject *object, PyObject *args)
{
    Lane *lane = (Lane *)object;
    Lanes *lanes;
    PyObject *client, *server;
    int state;
    if (lane->lanes != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it rides already");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O!O!O!(LCL)", lanes_type, &lanes, &PyTuple_Type, &client, &PyTuple_Type, &server,
                          &lane->n, &state, &lane->room))
        return NULL;
    if (!made_end(lane, CLIENT, client) || !made_end(lane, SERVER, server))
        return NULL;
    lane->state = (char)state;
    lane->runs = lane->ended = lane->failed = lane->was_bound = 0;
    lane->bound_size = lane->pending_size = lane->unread = 0;
    lane->odd = lane->torn = 0;
    lane->bound_n = lane->queried = 0;
    for (int side = CLIENT; side <= SERVER; side++) {
        struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = &lane->ends[side]};
        if (epoll_ctl(lanes->epoll, EPOLL_CTL_ADD, lane->ends[side].fd, &wanted)) {
            PyErr_SetFromErrno(PyExc_OSError);
            if (side == SERVER)
                epoll_ctl(lanes->epoll, EPOLL_CTL_DEL, lane->ends[CLIENT].fd, NULL);
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

/* flush(): what waits is recorded. Raises OSError. */
static PyObject *lane_flush(PyObject *object, PyObject *none)
{
    Lane *lane = (Lane *)object;
    (void)none;
    if (lane->lanes != NULL && !lane->failed)
        lane->failed = lane_record(lane, NULL);
    if (lane->failed)
        return raised_errno(lane->failed);
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
    if (lane->told_size)
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

static void forget_rests(Lane *lane)
{
    free(lane->answer);
    lane->answer = NULL;
    lane->answer_size = 0;
    for (int side = CLIENT; side <= SERVER; side++) {
        free(lane->tail[side]);
        lane->tail[side] = NULL;
        lane->tail_size[side] = 0;
    }
}

/* leave(): nothing passes without Python any more; what it has to know of what did. See `Left` in plain.py. */
static PyObject *lane_leave(PyObject *object, PyObject *none)
{
    Lane *lane = (Lane *)object;
    (void)none;
    if (lane->lanes == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it does not ride");
        return NULL;
    }
    if (!lane->failed)
        lane->failed = lane_record(lane, NULL);
    const int state = lane->state;
    PyObject *made = Py_BuildValue(
        "{s:L,s:L,s:i,s:O,s:C,s:O,s:y#,s:y#,s:L,s:L,s:y#,s:y#,s:y#,s:y#,s:i,s:O}", "n", lane->n, "at", lane->at, "expects",
        lane->expects, "runs", lane->runs ? Py_True : Py_False, "state", state, "ended",
        lane->ended ? Py_True : Py_False, "asked", (char *)lane->said, (Py_ssize_t)(lane->runs ? lane->said_size : 0),
        "bound", (char *)lane->bound, (Py_ssize_t)lane->bound_size, "bound_n", lane->bound_n, "queried",
        lane->queried, "said", (char *)lane->said,
        (Py_ssize_t)lane->unread, "unsent", lane->tail[SERVER] ? lane->tail[SERVER] : "",
        (Py_ssize_t)lane->tail_size[SERVER], "answer", lane->answer ? lane->answer : "",
        (Py_ssize_t)lane->answer_size, "untaken", lane->tail[CLIENT] ? lane->tail[CLIENT] : "",
        (Py_ssize_t)lane->tail_size[CLIENT], "failed", lane->failed, "torn",
        lane->torn ? Py_True : Py_False);
    forget_rests(lane);
    lane->told_next = lane->told_size;
    lane_unlist(lane);
    return made;
}

/* name(name, text, size): what it stands for. False where there are too many. */
static PyObject *lane_name(PyObject *object, PyObject *args)
{
    const char *name, *text;
    Py_ssize_t name_size, text_size;
    long long size;
    if (!PyArg_ParseTuple(args, "y#y#L", &name, &name_size, &text, &text_size, &size))
        return NULL;
    const Bytes called = {(const unsigned char *)name, name_size}, means = {(const unsigned char *)text, text_size};
    const int added = names_add((Lane *)object, called, means, size);
    return added < 0 ? PyErr_NoMemory() : PyBool_FromLong(added);
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
    lane->known = (Known){names_find, lane, {NULL, 0}, {NULL, 0}};
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
    names_forget(lane);
    free(lane->told);
    forget_rests(lane);
    let_go_of(&lane->ends[CLIENT]);
    let_go_of(&lane->ends[SERVER]);
    Py_XDECREF(lane->adder);
    Py_XDECREF(lane->words);
    Py_XDECREF(lane->meaning);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *lane_runs(PyObject *object, void *none)
{
    (void)none;
    return PyBool_FromLong(((Lane *)object)->runs);
}

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

int lane_add_type(PyObject *module)
{
    lane_type = PyType_FromSpec(&lane_spec);
    return lane_type == NULL ? -1 : PyModule_AddObjectRef(module, "Lane", lane_type);
}
