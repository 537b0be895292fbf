/* Connections on which only plain statements are run, carried without Python while the event loop waits. */
#include "lanes.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

PyObject *lanes_type;

long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

unsigned char *copied(const void *from, size_t size)
{
    unsigned char *made = malloc(size ? size : 1);
    if (made != NULL)
        memcpy(made, from, size);
    return made;
}

PyObject *raised_errno(int number)
{
    errno = number;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static void flush_all(Lanes *lanes)
{
    lanes->flush_at = 0;
    for (Lane *lane = lanes->first; lane != NULL; lane = lane->after)
        if (lane->rides && lane->pending_size && (lane->failed = lane_record(lane, NULL)))
            lane_hand_back(lane);
}

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
            if (!plain || (end->side == CLIENT ? lane_from_client(lane) : lane_from_server(lane)))
                lane_hand_back(lane);
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
    lanes->python = PyEval_SaveThread();
    others = carry(lanes, until, &failed);
    PyEval_RestoreThread(lanes->python);
    if (failed)
        return raised_errno(failed);
    PyObject *handed = PyList_New(0);
    while (handed != NULL && lanes->handed != NULL) {
        Lane *lane = lanes->handed;
        PyObject *client = PyLong_FromLong(lane->ends[CLIENT].fd);
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
    while (lanes->first != NULL) {
        lane_record(lanes->first, NULL);
        lane_unlist(lanes->first);
    }
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

static PyMethodDef lanes_methods[] = {
    {"poll", lanes_poll, METH_VARARGS, NULL}, {"close", lanes_close, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyGetSetDef lanes_values[] = {{"count", lanes_count, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot lanes_slots[] = {{Py_tp_new, lanes_new},
                                    {Py_tp_dealloc, lanes_free},
                                    {Py_tp_methods, lanes_methods},
                                    {Py_tp_getset, lanes_values},
                                    {0, NULL}};
static PyType_Spec lanes_spec = {"gateways.postgres._plain.Lanes", sizeof(Lanes), 0, Py_TPFLAGS_DEFAULT, lanes_slots};

int lanes_add_types(PyObject *module)
{
    lanes_type = PyType_FromSpec(&lanes_spec);
    if (lanes_type == NULL || PyModule_AddObjectRef(module, "Lanes", lanes_type) < 0 || ends_prepare() < 0)
        return -1;
    return lane_add_type(module);
}
