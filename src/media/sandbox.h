/* A process that can do nothing but compute, and talk over the descriptors that it was given.
 *
 * SANDBOX
 * (1) No new descriptor by any call of its own: no open, no socket, no connect, no memfd, no dup.
 *     What it holds on entry, and what its parent sends it later, is all there is. So there is no
 *     stage in which it may reach the network by itself (docs/cameras.md says why).
 * (2) No program is executed, no thread or process made, nobody traced or signalled but itself (to
 *     abort), no page ever executable that was not when it entered.
 * (3) A call outside the list ends the process at once (SIGSYS): its parent sees which end it had.
 * (4) In three layers, so that a hole in one is not one in all: seccomp says which calls, Landlock
 *     (where the kernel has it) says no file and no TCP at all, limits say how much. Capabilities
 *     are dropped first.
 * (5) Nothing is undone: it lasts until the process ends. */
#ifndef VD_MEDIA_SANDBOX_H
#define VD_MEDIA_SANDBOX_H

#include <stddef.h>

#include "vedette/status.h"

struct vd_sandbox {
    size_t memory_bytes; /**< address space; 0 = no limit; ignored under a sanitizer */
    int descriptors;     /**< highest number of descriptors */
};
/** Enter. To be called while the process has one thread.
 *  VD_E_UNSUPPORTED: the kernel has no seccomp filter (or the machine is neither x86-64 nor arm64):
 *  then do not go on. Landlock missing is no error: see vd_sandbox_landlock(). */
VD_MUST_CHECK vd_status vd_sandbox_enter(const struct vd_sandbox *s, struct vd_err *err);
/** ABI version of Landlock in the running kernel; 0 = none. */
int vd_sandbox_landlock(void);

#endif
