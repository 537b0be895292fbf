/* What the names of prepared statements stand for, by a hash of the name. */
#include "lanes.h"
#include <stdlib.h>
#include <string.h>

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

int names_find(void *names, Bytes name, Bytes *text, long long *size)
{
    const Lane *lane = names;
    const Named *slot = lane->names == NULL ? NULL : slot_of(lane, name);
    if (slot == NULL || slot->name == NULL)
        return 0;
    *text = (Bytes){slot->text, slot->text_size};
    *size = slot->size;
    return 1;
}

void names_forget(Lane *lane)
{
    for (int place = 0; lane->names != NULL && place < SLOTS; place++) {
        free(lane->names[place].name);
        free(lane->names[place].text);
    }
    free(lane->names);
    lane->names = NULL;
    lane->names_count = 0;
}

int names_add(Lane *lane, Bytes name, Bytes text, long long size)
{
    if (lane->names == NULL && (lane->names = calloc(SLOTS, sizeof *lane->names)) == NULL)
        return -1;
    Named *slot = slot_of(lane, name);
    if (slot->name != NULL || lane->names_count >= MOST_NAMES)
        return slot->name != NULL;
    Named made = {copied(name.at, (size_t)name.left), copied(text.at, (size_t)text.left), name.left, text.left, size};
    if (made.name == NULL || made.text == NULL) {
        free(made.name);
        free(made.text);
        return -1;
    }
    *slot = made;
    lane->names_count++;
    return 1;
}
