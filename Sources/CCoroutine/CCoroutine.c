#include "CCoroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { stack_size = 512 << 10, kept_stacks = 64 };

struct ccoroutine {
    ucontext_t inside, outside;
    void (*entry)(void *);
    void *context;
    void *stack;
    bool has_ended;
};

// One thread simulates one world: its stacks are used again and again.
static _Thread_local void *stacks[kept_stacks];
static _Thread_local int stack_count;

static void run(unsigned high, unsigned low) {
    // makecontext passes ints alone.
    struct ccoroutine *coroutine = (struct ccoroutine *)(((uintptr_t)high << 32) | low);
    coroutine->entry(coroutine->context);
    coroutine->has_ended = true;
    swapcontext(&coroutine->inside, &coroutine->outside);
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
    getcontext(&coroutine->inside);
    coroutine->inside.uc_stack.ss_sp = coroutine->stack;
    coroutine->inside.uc_stack.ss_size = stack_size;
    coroutine->inside.uc_link = NULL;
    uintptr_t address = (uintptr_t)coroutine;
    makecontext(&coroutine->inside, (void (*)(void))run, 2, (unsigned)(address >> 32), (unsigned)address);
    return coroutine;
}

void ccoroutine_resume(struct ccoroutine *coroutine) { swapcontext(&coroutine->outside, &coroutine->inside); }

void ccoroutine_suspend(struct ccoroutine *coroutine) { swapcontext(&coroutine->inside, &coroutine->outside); }

bool ccoroutine_has_ended(const struct ccoroutine *coroutine) { return coroutine->has_ended; }

void ccoroutine_destroy(struct ccoroutine *coroutine) {
    if (stack_count < kept_stacks) {
        stacks[stack_count++] = coroutine->stack;
    } else {
        munmap(coroutine->stack, stack_size);
    }
    free(coroutine);
}
