/* Protocol-buffer wire format, read only: a cursor over bytes that cannot run past their end. */
#ifndef VD_NN_WIRE_H
#define VD_NN_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct vd_wire {
    const uint8_t *p, *end;
    int bad; /**< set once something did not fit; everything after is empty */
};

/** One field: its number, its wire type, and its value or its bytes. */
struct vd_wire_field {
    uint32_t number, type; /**< type 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t value;
    const uint8_t *data;
    size_t bytes;
};

static inline uint64_t vd_wire_varint(struct vd_wire *w)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (w->p >= w->end)
            break;
        uint8_t b = *w->p++;
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128))
            return v;
    }
    w->bad = 1;
    w->p = w->end;
    return 0;
}

static inline uint64_t vd_wire_fixed(struct vd_wire *w, unsigned bytes)
{
    uint64_t v = 0;
    if ((size_t)(w->end - w->p) < bytes) {
        w->bad = 1;
        w->p = w->end;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)w->p[i] << (8 * i);
    w->p += bytes;
    return v;
}

/** 1 and *f, or 0 at the end or when the bytes are not a message (w->bad). */
static inline int vd_wire_next(struct vd_wire *w, struct vd_wire_field *f)
{
    if (w->p >= w->end || w->bad)
        return 0;
    uint64_t key = vd_wire_varint(w);
    *f = (struct vd_wire_field){.number = (uint32_t)(key >> 3), .type = (uint32_t)(key & 7)};
    if (w->bad || !f->number || key >> 32) {
        w->bad = 1;
        return 0;
    }
    switch (f->type) {
    case 0:
        f->value = vd_wire_varint(w);
        break;
    case 1:
        f->value = vd_wire_fixed(w, 8);
        break;
    case 5:
        f->value = vd_wire_fixed(w, 4);
        break;
    case 2: {
        uint64_t n = vd_wire_varint(w);
        if (w->bad || n > (uint64_t)(w->end - w->p)) {
            w->bad = 1;
            return 0;
        }
        f->data = w->p;
        f->bytes = (size_t)n;
        w->p += n;
        break;
    }
    default: /* groups are not used by ONNX */
        w->bad = 1;
    }
    return !w->bad;
}

static inline struct vd_wire vd_wire_in(const struct vd_wire_field *f)
{
    return (struct vd_wire){.p = f->data, .end = f->data + f->bytes};
}

#endif
