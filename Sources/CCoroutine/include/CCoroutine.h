// Coroutines on stacks of their own: code that blocks is suspended where it would have waited, and its thread goes on with
// something else. The serving function waits for its database that way, and the simulator for everything.
#ifndef CCOROUTINE_H
#define CCOROUTINE_H

#include <stdbool.h>

struct ccoroutine;

/// A coroutine that has not begun; null without memory. `entry` runs at the first `ccoroutine_resume`.
struct ccoroutine *_Nullable ccoroutine_create(void (*_Nonnull entry)(void *_Nonnull), void *_Nonnull context);
/// Runs it until it suspends or returns; always on the thread that resumed it first.
void ccoroutine_resume(struct ccoroutine *_Nonnull coroutine);
/// Called inside of it: goes back to whoever resumed it.
void ccoroutine_suspend(struct ccoroutine *_Nonnull coroutine);
bool ccoroutine_has_ended(const struct ccoroutine *_Nonnull coroutine);
/// Only of one that has ended: what lies on another stack would never be released.
void ccoroutine_destroy(struct ccoroutine *_Nonnull coroutine);
/// The context of the one that runs on this thread; null outside of all.
void *_Nullable ccoroutine_current(void);

#endif
