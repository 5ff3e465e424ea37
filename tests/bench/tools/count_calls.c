/* SPDX-License-Identifier: MPL-2.0 */
/*
 * count_calls - a library to preload: counts each thread's calls of malloc and its kin, of free, and of taking locks.
 *
 * The counts lie in the file named by COUNT_CALLS_FILE, mapped and shared, one record a thread, so that they are read
 * from outside while the program runs, without stopping it or asking it. The first record's "thread" is how many
 * records are in use. Only programs named COUNT_CALLS_PROGRAM are counted, not what they start or what starts them. The
 * memory calls go to glibc under its own other names, which need no look-up (a look-up may allocate). Threads beyond
 * CALLS_THREADS are not counted. Read by path.py, which knows the layout of struct calls_record.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CALLS_THREADS 64

struct calls_record {
	_Atomic uint64_t thread; /* its number in the kernel */
	uint64_t allocations, frees, locks;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *old);

typedef int lock_fn(pthread_mutex_t *mutex);

/* Of the process that it is loaded into: there is one, and nobody to hand a context over. */
static struct calls_record *calls_records;
static struct calls_record calls_nowhere;
static _Thread_local struct calls_record *calls_own __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void calls_open(void)
{
	const char *path = getenv("COUNT_CALLS_FILE"), *program = getenv("COUNT_CALLS_PROGRAM");
	bool is_meant = path && program && strcmp(program, program_invocation_short_name) == 0;
	int fd = is_meant ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, CALLS_THREADS * sizeof *calls_records, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		calls_records = map;
	close(fd);
}

static struct calls_record *calls_mine(void)
{
	uint64_t number;

	if (!calls_records)
		return &calls_nowhere;
	if (!calls_own) {
		number = atomic_fetch_add(&calls_records[0].thread, 1) + 1;
		calls_own = number < CALLS_THREADS ? &calls_records[number] : &calls_nowhere;
		calls_own->thread = (uint64_t)gettid();
	}
	return calls_own;
}

void *malloc(size_t size)
{
	calls_mine()->allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	calls_mine()->allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	calls_mine()->allocations++;
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	calls_mine()->allocations++;
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
	calls_mine()->allocations++;
	*result = __libc_memalign(alignment, size);
	return *result ? 0 : ENOMEM;
}

void free(void *old)
{
	calls_mine()->frees++;
	__libc_free(old);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static lock_fn *next;

	if (!next)
		next = (lock_fn *)dlsym(RTLD_NEXT, "pthread_mutex_lock");
	calls_mine()->locks++;
	return next(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	static lock_fn *next;

	if (!next)
		next = (lock_fn *)dlsym(RTLD_NEXT, "pthread_mutex_trylock");
	calls_mine()->locks++;
	return next(mutex);
}
