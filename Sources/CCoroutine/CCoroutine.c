#include "CCoroutine.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

// ThreadSanitizer keeps a call stack of its own per fiber and has to be told which one runs.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KNOWS_FIBERS 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

enum { stack_size = 512 << 10, kept_stacks = 64 };

struct ccoroutine {
    // The first entry needs a context; from then on jumps switch stacks, which spare the two system calls of swapcontext.
    ucontext_t first, origin;
    jmp_buf inside, outside;
    void (*entry)(void *);
    void *context;
    void *stack;
    void *outer;
    bool has_begun, has_ended;
#ifdef KNOWS_FIBERS
    void *fiber, *outer_fiber;
#endif
};

// One thread simulates one world: its stacks are used again and again.
static _Thread_local void *stacks[kept_stacks];
static _Thread_local int stack_count;
static _Thread_local void *current;

static void leave(struct ccoroutine *coroutine) {
#ifdef KNOWS_FIBERS
    __tsan_switch_to_fiber(coroutine->outer_fiber, 0);
#endif
    _longjmp(coroutine->outside, 1);
}

static void run(unsigned high, unsigned low) {
    // makecontext passes ints alone.
    struct ccoroutine *coroutine = (struct ccoroutine *)(((uintptr_t)high << 32) | low);
    coroutine->entry(coroutine->context);
    coroutine->has_ended = true;
    leave(coroutine);
}

struct ccoroutine *ccoroutine_create(void (*entry)(void *), void *context) {
    struct ccoroutine *coroutine = calloc(1, sizeof *coroutine);
    if (!coroutine) return NULL;
    if (stack_count > 0) {
        coroutine->stack = stacks[--stack_count];
    } else {
        coroutine->stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (coroutine->stack == MAP_FAILED) {
            free(coroutine);
            return NULL;
        }
        // An overflow traps instead of writing into a neighbour.
        mprotect(coroutine->stack, 4096, PROT_NONE);
    }
    coroutine->entry = entry;
    coroutine->context = context;
    getcontext(&coroutine->first);
    coroutine->first.uc_stack.ss_sp = coroutine->stack;
    coroutine->first.uc_stack.ss_size = stack_size;
    coroutine->first.uc_link = NULL;
    uintptr_t address = (uintptr_t)coroutine;
    makecontext(&coroutine->first, (void (*)(void))run, 2, (unsigned)(address >> 32), (unsigned)address);
#ifdef KNOWS_FIBERS
    coroutine->fiber = __tsan_create_fiber(0);
#endif
    return coroutine;
}

void ccoroutine_resume(struct ccoroutine *coroutine) {
    coroutine->outer = current;
    current = coroutine->context;
    if (_setjmp(coroutine->outside) == 0) {
#ifdef KNOWS_FIBERS
        coroutine->outer_fiber = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(coroutine->fiber, 0);
#endif
        if (coroutine->has_begun) _longjmp(coroutine->inside, 1);
        coroutine->has_begun = true;
        swapcontext(&coroutine->origin, &coroutine->first);
    }
    current = coroutine->outer;
}

void ccoroutine_suspend(struct ccoroutine *coroutine) {
    if (_setjmp(coroutine->inside) == 0) leave(coroutine);
}

bool ccoroutine_has_ended(const struct ccoroutine *coroutine) { return coroutine->has_ended; }

void ccoroutine_destroy(struct ccoroutine *coroutine) {
#ifdef KNOWS_FIBERS
    __tsan_destroy_fiber(coroutine->fiber);
#endif
    if (stack_count < kept_stacks) {
        stacks[stack_count++] = coroutine->stack;
    } else {
        munmap(coroutine->stack, stack_size);
    }
    free(coroutine);
}

void *ccoroutine_current(void) { return current; }
