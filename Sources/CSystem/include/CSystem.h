// What Swift's Glibc overlay cannot give, or gives at the price of a newer C library.
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

// Swift's own `errno` links the overlay, which needs GLIBC_2.35; this one needs 2.34, which Lambda's image has.
static inline int csystem_errno(void) { return errno; }
static inline void csystem_set_errno(int number) { errno = number; }

// Starts a program as the leader of a process group of its own: nothing inherited but the three descriptors, no signal
// blocked, SIGKILL when the *thread* that called this ends. posix_spawn can do neither the last nor close the rest.
// Answers 0 and the process id, or an errno, that of a failed exec included.
int csystem_spawn(
    const char *_Nonnull program, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int output, int error, pid_t *_Nonnull process);

// Allows this process as many open descriptors as it may allow itself. What csystem_spawn starts from then on has the limit that this
// one had before: a function that needs more than its cloud gives shall fail here too. Before the first thread.
void csystem_raise_descriptor_limit(void);

// What a crash leaves behind must not show keys, credentials and tokens: no core dump is written, whatever the limits of the parent,
// and where there is a Swift toolchain its backtracer, which prints registers and the memory that they point to, is not started.
void csystem_hide_memory_of_crashes(void);

// pipe2 is a GNU extension that the overlay does not show; both ends close on exec. 0 or an errno.
int csystem_pipe(int *_Nonnull readEnd, int *_Nonnull writeEnd);

// Gives whole pages that hold nothing back to the system, of every thread's heap (malloc.h is no part of Swift's Glibc).
void csystem_return_memory(void);

// Asks for SIGKILL when the parent ends, and ends at once where it has ended already (prctl is variadic).
void csystem_die_with_parent(void);

// waitid's siginfo_t members are macros. Blocks until the process has ended, without reaping it; 0 or an errno.
int csystem_wait_for_end(pid_t process);

// Reaps an ended process: its exit code, or 128 + the signal that ended it, or -1.
int csystem_reap(pid_t process);

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts; a sigset_t cannot be made in safe Swift.
void csystem_block_termination(void);

// Waits for one of the blocked signals and answers its number.
int csystem_wait_for_termination(void);

// Waits for the semaphore so many nanoseconds at most, by the steady clock: sem_timedwait goes by the wall clock, which
// may be set back (sem_clockwait is a GNU extension that the overlay does not show).
void csystem_sem_wait(sem_t *_Nonnull semaphore, int64_t nanoseconds);

// An epoll set; -1 where there is none to be had. The overlay shows no epoll_event, which is packed.
int csystem_poller(void);

// Reports `tag` for as long as the descriptor can be read.
int csystem_poller_add(int poller, int descriptor, uint64_t tag);

// Reports `tag` once, when the descriptor can be read, where that is waited for, or written, where that is; 0 or -1.
int csystem_poller_await(int poller, int descriptor, _Bool toRead, _Bool toWrite, uint64_t tag);

void csystem_poller_forget(int poller, int descriptor);

// How many tags were stored; none when the time is over.
int csystem_poller_wait(int poller, uint64_t *_Nonnull tags, int capacity, int milliseconds);

// A descriptor that can be read from `signal` to `clear`; -1 where there is none to be had.
int csystem_event(void);
void csystem_event_signal(int event);
void csystem_event_clear(int event);

#endif
