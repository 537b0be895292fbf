/* How compiled code adds frames to a recording: the capsule `Frames.adder()` holds this, and keeps the file's object. */
#ifndef PRODACCESS_FRAMES_H
#define PRODACCESS_FRAMES_H
#include <Python.h>

#define FRAME_ADDER "audit.recording._frames.adder"

typedef struct {
    void *frames;
    /* One frame of so many records; 0, or an errno: then nothing of it is in the file. */
    int (*add)(void *frames, const char *lines, size_t size, long long records, int last);
} FrameAdder;

#endif
