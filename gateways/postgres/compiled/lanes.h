/* A connection that is carried (`Lane`) and what carries all of them (`Lanes`), as the files beside this one share it.

   One thread, that of the event loop, does everything here: `Lanes.poll` stands where its selector waits, and lets go of
   Python's lock meanwhile. What it touches then is touched by nobody else. */
#ifndef PRODACCESS_LANES_H
#define PRODACCESS_LANES_H
#include "plain.h"
#include "audit/recording/_frames.h"

enum { CLIENT, SERVER };
enum { EVENTS = 64, SLOTS = 2048, MOST_NAMES = 1000, CHUNK = 1 << 16, PENDING = 512 };
enum { MOST_TOLD = 8 << 20 }; /* bytes of what is over and that nobody has asked for */
static const long long QUIET = 50 * 1000 * 1000; /* nanoseconds that an answer waits at most to be recorded */

typedef struct { unsigned char *name, *text; Py_ssize_t name_size, text_size; long long size; } Named;
typedef struct Lane Lane;
typedef struct Lanes Lanes;
/* `tls`: what its bytes are read and written with, between two buffers of Python's; NULL: they are as they come. */
typedef struct { Lane *lane; int side, fd; PyObject *tls, *incoming, *outgoing; } End;

struct Lane {
    PyObject_HEAD
    Lanes *lanes; /* while it rides */
    Lane *before, *after, *handed_after;
    int rides, is_handed;
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
    long long bound_n, queried; /* its number, and that of the last simple query */
    char state;
    int ended; /* one has, since it rides */
    /* what waits to be recorded, and to be told */
    char pending[PENDING];
    size_t pending_size;
    char *told;
    size_t told_size, told_next, told_room;
    /* why it is handed back */
    int odd; /* something came behind what was read, and is not data */
    int failed; /* an errno of the recording */
    int torn; /* an end that nothing can be written to */
    size_t unread; /* bytes of `said` that are no statement here */
    char *answer; /* one that is none here */
    size_t answer_size;
    char *tail[2]; /* what an end did not take at once */
    size_t tail_size[2];
};

struct Lanes {
    PyObject_HEAD
    int epoll;
    Py_ssize_t count;
    Lane *first, *handed;
    long long flush_at; /* nanoseconds; 0: nothing waits */
    PyThreadState *python; /* while its lock is let go of */
    unsigned char chunk[CHUNK], raw[CHUNK];
    char lines[PENDING + ROOM];
};

/* names.c */
int names_find(void *lane, Bytes name, Bytes *text, long long *size);
int names_add(Lane *lane, Bytes name, Bytes text, long long size); /* whether there was room; -1: no memory */
void names_forget(Lane *lane);

/* ends.c */
/* What has come; 0 or less where nothing has, as recv() says it. */
ssize_t end_take(const End *end, unsigned char *to, size_t room);
/* Whether nothing will come any more, or Python has to see why nothing does. */
int end_is_over(ssize_t got);
/* Whether it took everything; what it did not is its tail. */
int end_give(const End *end, const unsigned char *data, size_t size);

/* passing.c */
int lane_record(Lane *lane, const Line *line); /* what waits, and this; an errno */
int lane_from_client(Lane *lane); /* whether it has to be handed back */
int lane_from_server(Lane *lane);

/* lane.c and lanes.c */
extern PyObject *lanes_type;
void lane_hand_back(Lane *lane);
void lane_unlist(Lane *lane);
int lane_add_type(PyObject *module);
int ends_prepare(void); /* 0, or -1 and raised */

long long now(void); /* nanoseconds, of the monotonic clock */
unsigned char *copied(const void *from, size_t size); /* NULL: no memory */
PyObject *raised_errno(int number);

#endif
