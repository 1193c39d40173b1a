#define _GNU_SOURCE
#include "CSystem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static sigset_t termination(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

// What programs that are started here shall have; nothing where this process has it still.
static struct rlimit descriptors;
static _Bool has_raised_descriptors;

void csystem_raise_descriptor_limit(void) {
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
    const struct rlimit most = {descriptors.rlim_max, descriptors.rlim_max};
    has_raised_descriptors = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

// Runs between fork and exec: async-signal-safe calls alone. The report descriptor closes itself when exec succeeds.
static void become(
    const char *program, char *const *arguments, char *const *environment, int output, int error, int report, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    int null = open("/dev/null", O_RDONLY);
    // The report must survive the three dup2 and the closing of everything above it.
    int high = fcntl(report, F_DUPFD_CLOEXEC, 10);
    int out = fcntl(output, F_DUPFD_CLOEXEC, 10);
    int err = fcntl(error, F_DUPFD_CLOEXEC, 10);
    if (null >= 0 && high >= 0 && out >= 0 && err >= 0 && setpgid(0, 0) == 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 &&
        dup2(err, 2) >= 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) {
        if (getppid() != parent) _exit(1);
        syscall(SYS_close_range, 3, high - 1, 0);
        syscall(SYS_close_range, high + 1, ~0U, 0);
        // After those above it are closed, which may have more than it.
        if (has_raised_descriptors) setrlimit(RLIMIT_NOFILE, &descriptors);
        signal(SIGPIPE, SIG_DFL);
        execve(program, arguments, environment);
    }
    int failure = errno;
    if (write(high >= 0 ? high : report, &failure, sizeof failure) < 0) _exit(126);
    _exit(127);
}

int csystem_spawn(
    const char *program, char *const *arguments, char *const *environment, int output, int error, pid_t *process) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) become(program, arguments, environment, output, error, report[1], parent);
    int forkError = errno;
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        return forkError;
    }
    int failure = 0;
    ssize_t got;
    do got = read(report[0], &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == (ssize_t)sizeof failure) {
        waitpid(child, NULL, 0);
        return failure ? failure : EIO;
    }
    *process = child;
    return 0;
}

int csystem_pipe(int *readEnd, int *writeEnd) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    *readEnd = ends[0];
    *writeEnd = ends[1];
    return 0;
}

void csystem_return_memory(void) { malloc_trim(0); }

void csystem_die_with_parent(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1) _exit(1);
}

int csystem_wait_for_end(pid_t process) {
    siginfo_t info;
    int result;
    do result = waitid(P_PID, (id_t)process, &info, WEXITED | WNOWAIT);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

int csystem_reap(pid_t process) {
    int status;
    pid_t got;
    do got = waitpid(process, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got != process) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void csystem_block_termination(void) {
    sigset_t set = termination();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int csystem_wait_for_termination(void) {
    sigset_t set = termination();
    int number = 0;
    while (sigwait(&set, &number) != 0) continue;
    return number;
}

void csystem_sem_wait(sem_t *semaphore, int64_t nanoseconds) {
    if (nanoseconds <= 0) return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    nanoseconds += until.tv_nsec;
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}

void csystem_hide_memory_of_crashes(void) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    // Those for which the Swift runtime has set handlers by now.
    const int crashes[] = {SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i += 1) signal(crashes[i], SIG_DFL);
}

int csystem_poller(void) { return epoll_create1(EPOLL_CLOEXEC); }

int csystem_poller_add(int poller, int descriptor, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

int csystem_poller_await(int poller, int descriptor, _Bool toRead, _Bool toWrite, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = tag};
    if (toRead) event.events |= EPOLLIN;
    if (toWrite) event.events |= EPOLLOUT;
    // Known from its last wait, but for a new one, or one that was closed meanwhile.
    if (epoll_ctl(poller, EPOLL_CTL_MOD, descriptor, &event) == 0) return 0;
    return errno == ENOENT ? epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) : -1;
}

void csystem_poller_forget(int poller, int descriptor) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, NULL); }

int csystem_poller_wait(int poller, uint64_t *tags, int capacity, int milliseconds) {
    struct epoll_event events[64];
    if (capacity > 64) capacity = 64;
    int count = epoll_wait(poller, events, capacity, milliseconds);
    for (int i = 0; i < count; i++) tags[i] = events[i].data.u64;
    return count < 0 ? 0 : count;
}

int csystem_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void csystem_event_signal(int event) {
    uint64_t one = 1;
    if (write(event, &one, sizeof one) < 0) return;  // Full: it is signalled.
}

void csystem_event_clear(int event) {
    uint64_t count;
    if (read(event, &count, sizeof count) < 0) return;  // Not signalled.
}
