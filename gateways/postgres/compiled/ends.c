/* Reading and writing one end of a carried connection. With TLS, Python does the work, and has its lock meanwhile. */
#include "lanes.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static PyObject *wants_more; /* ssl.SSLWantReadError */

int ends_prepare(void)
{
    PyObject *ssl = PyImport_ImportModule("ssl");
    wants_more = ssl != NULL ? PyObject_GetAttrString(ssl, "SSLWantReadError") : NULL;
    Py_XDECREF(ssl);
    return wants_more != NULL ? 0 : -1;
}

/* What has come, in the clear; -1 where it is not a whole record yet (EAGAIN), or there are no more of them (EPROTO). */
static ssize_t opened(const End *end, const unsigned char *raw, size_t size, unsigned char *to, size_t room)
{
    size_t got = 0;
    int failed = EAGAIN;
    PyObject *done = PyObject_CallMethod(end->incoming, "write", "y#", (const char *)raw, (Py_ssize_t)size);
    while (done != NULL && got < room) {
        Py_DECREF(done);
        char *text;
        Py_ssize_t length;
        done = PyObject_CallMethod(end->tls, "read", "n", (Py_ssize_t)(room - got));
        if (done == NULL || PyBytes_AsStringAndSize(done, &text, &length) < 0)
            break;
        if (!length) {
            failed = EPROTO;
            break;
        }
        memcpy(to + got, text, (size_t)length);
        got += (size_t)length;
        PyObject *left = PyObject_GetAttrString(end->incoming, "pending");
        const long pending = left == NULL ? 0 : PyLong_AsLong(left);
        Py_XDECREF(left);
        if (pending <= 0)
            break;
    }
    Py_XDECREF(done);
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(wants_more))
            failed = EPROTO; /* Python finds it again, and says so */
        PyErr_Clear();
    }
    end->lane->odd = failed == EPROTO;
    errno = failed;
    return got ? (ssize_t)got : -1;
}

ssize_t end_take(const End *end, unsigned char *to, size_t room)
{
    Lanes *lanes = end->lane->lanes;
    if (end->tls == NULL)
        return recv(end->fd, to, room, MSG_DONTWAIT);
    ssize_t got = recv(end->fd, lanes->raw, CHUNK, MSG_DONTWAIT);
    if (got <= 0)
        return got;
    PyEval_RestoreThread(lanes->python);
    got = opened(end, lanes->raw, (size_t)got, to, room);
    const int failed = errno;
    lanes->python = PyEval_SaveThread();
    errno = failed;
    return got;
}

/* Of what stands there; what it does not take is its tail. Whether it took everything. */
static int sent(const End *end, const unsigned char *data, size_t size)
{
    Lane *lane = end->lane;
    ssize_t done = send(end->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0)
        done = 0; /* Python tries again, and learns what is wrong */
    if ((size_t)done == size)
        return 1;
    lane->tail[end->side] = (char *)copied(data + done, size - (size_t)done);
    lane->tail_size[end->side] = lane->tail[end->side] != NULL ? size - (size_t)done : 0;
    if (lane->tail[end->side] == NULL)
        lane->failed = ENOMEM;
    return 0;
}

static int sent_sealed(const End *end, const unsigned char *data, size_t size)
{
    char *raw;
    Py_ssize_t length;
    PyObject *sealed = NULL;
    size_t done = 0;
    while (done < size) { /* a record at a time */
        PyObject *count = PyObject_CallMethod(end->tls, "write", "y#", (const char *)data + done, (Py_ssize_t)(size - done));
        const long more = count == NULL ? -1 : PyLong_AsLong(count);
        Py_XDECREF(count);
        if (more <= 0)
            break;
        done += (size_t)more;
    }
    if (done == size)
        sealed = PyObject_CallMethod(end->outgoing, "read", NULL);
    int took = 0;
    if (sealed != NULL && PyBytes_AsStringAndSize(sealed, &raw, &length) == 0)
        took = sent(end, (unsigned char *)raw, (size_t)length);
    else {
        PyErr_Clear();
        end->lane->torn = 1;
    }
    Py_XDECREF(sealed);
    return took;
}

int end_give(const End *end, const unsigned char *data, size_t size)
{
    Lanes *lanes = end->lane->lanes;
    if (end->tls == NULL)
        return sent(end, data, size);
    PyEval_RestoreThread(lanes->python);
    const int took = sent_sealed(end, data, size);
    lanes->python = PyEval_SaveThread();
    return took;
}

int end_is_over(ssize_t got)
{
    return !got || (errno != EAGAIN && errno != EINTR);
}
