/* A disk that remembers and fails, put between a process and its files with LD_PRELOAD.

   DISK_FOLDER   the files in here are on this disk
   DISK_TRACE    every change, every sync and every byte on an accepted connection goes there, in
                 the order in which they happened
   DISK_CONTROL  a file with a struct control: which operation is to fail from now on, and how
   DISK_SLOW_US  how long each write and each sync takes, in microseconds

   Records and numbers are in the machine's byte order; disk.rs reads them. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2 };                 /* which operations */
enum { LOG = 1, VIEWS = 2, FOLDERS = 4 };       /* of which files */

struct control {
    int32_t operations, files; /* which are counted, and fail; 0: none */
    int32_t after;             /* this many succeed first */
    int32_t times;             /* this many fail; -1: all that follow */
    int32_t error;             /* with this errno */
    int32_t seen;              /* how many of them came */
    int32_t failed;            /* how many of them failed */
    int32_t unused;
    int64_t bytes_left;        /* so much more can be written, then ENOSPC; -1: no limit */
};

/* What there is to know of an open file. */
struct open_file { char kind; /* 0 unknown, 'f' file, 'd' folder, 's' connection */ char part; uint64_t inode; };

#define FILES_MAX 65536
static struct open_file open_files[FILES_MAX];
static char folder[4096];
static size_t folder_length;
static int trace = -1;
static int slow_us;
static volatile struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control none = {.bytes_left = -1};

#define REAL(name) ({ static void *found; (__typeof__(&name))real(&found, #name); })
static void *real(void **found, const char *name) {
    if (!*found && !(*found = dlsym(RTLD_NEXT, name))) abort();
    return *found;
}

static void take(void) { pthread_mutex_lock(&lock); }
static void give(void) { int kept = errno; pthread_mutex_unlock(&lock); errno = kept; }

/* One record: kind, inode or connection, offset, length, bytes. */
static void record(char kind, uint64_t what, int64_t offset, const void *bytes, uint32_t length) {
    if (trace < 0) return;
    char head[21] = {kind};
    memcpy(head + 1, &what, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &length, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    if (REAL(writev)(trace, parts, 2) != (ssize_t)(sizeof head + length)) abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("DISK_FOLDER");
    if (!where || !realpath(where, folder)) return;
    folder_length = strlen(folder);
    control = &none;
    if (getenv("DISK_SLOW_US")) slow_us = atoi(getenv("DISK_SLOW_US"));
    const char *path = getenv("DISK_TRACE");
    if (path) trace = REAL(open)(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    path = getenv("DISK_CONTROL");
    int file = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map == MAP_FAILED) abort();
        control = map;
    }
    struct stat state;
    if (!stat(folder, &state)) record('D', state.st_ino, 0, ".", 1);
}

/* The path as seen from the folder; NULL where it leads elsewhere. */
static const char *inside(const char *path) {
    static __thread char whole[8192];
    if (!folder_length || !path) return NULL;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        if (!getcwd(whole, 4096)) return NULL;
        while (path[0] == '.' && path[1] == '/') path += 2;
        if (strcmp(path, ".")) { strcat(whole, "/"); strncat(whole, path, 4095); }
    }
    if (strncmp(whole, folder, folder_length)) return NULL;
    if (whole[folder_length] == '\0') return ".";
    return whole[folder_length] == '/' ? whole + folder_length + 1 : NULL;
}

static int ends(const char *text, const char *with) {
    size_t length = strlen(text), tail = strlen(with);
    return length >= tail && !strcmp(text + length - tail, with);
}

/* The WAL's index and the lock are not kept through a power cut by anybody. */
static int forgotten(const char *path) { return ends(path, "-shm") || ends(path, ".lock"); }

static char part_of(const char *path) { return strstr(path, ".views.") ? VIEWS : LOG; }

/* Whether this operation is to fail; sets errno. */
static int fails(int operation, int part) {
    if (!control || !(control->operations & operation) || !(control->files & part)) return 0;
    int at = control->seen++;
    if (at < control->after) return 0;
    if (control->times >= 0 && at >= control->after + control->times) return 0;
    control->failed++;
    errno = control->error;
    return 1;
}

/* How much of a write that lets a file grow still fits. */
static size_t fits(int fd, off_t offset, size_t length) {
    struct stat now;
    if (!control || control->bytes_left < 0 || fstat(fd, &now)) return length;
    int64_t grows = (int64_t)offset + (int64_t)length - now.st_size;
    if (grows <= 0) return length;
    if (grows > control->bytes_left) {
        int64_t left = (int64_t)length - (grows - control->bytes_left);
        control->failed++;
        errno = ENOSPC;
        if (left <= 0) return 0;
        control->bytes_left = 0;
        return (size_t)left;
    }
    control->bytes_left -= grows;
    return length;
}

static struct open_file *known(int fd) {
    return fd >= 0 && fd < FILES_MAX ? &open_files[fd] : &open_files[FILES_MAX - 1];
}

static int opened(int (*act)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *name = inside(path);
    if (!name) {
        int fd = act(path, flags, mode);
        if (fd >= 0) known(fd)->kind = 0;
        return fd;
    }
    take();
    struct stat state;
    int was_there = !lstat(path, &state);
    int fd = -1;
    if (was_there || !(flags & O_CREAT) || !fails(WRITES, part_of(name))) {
        fd = act(path, flags, mode);
    }
    if (fd >= 0) {
        fstat(fd, &state);
        struct open_file *file = known(fd);
        file->kind = S_ISDIR(state.st_mode) ? 'd' : 'f';
        file->part = S_ISDIR(state.st_mode) ? FOLDERS : part_of(name);
        file->inode = state.st_ino;
        if (file->kind == 'f' && (forgotten(name) || (flags & O_TMPFILE) == O_TMPFILE)) {
            file->kind = 'm';
        } else if (!was_there) {
            record('C', state.st_ino, 0, name, strlen(name));
        } else if (file->kind == 'f' && (flags & O_TRUNC)) {
            record('T', state.st_ino, 0, "", 0);
        }
    }
    give();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open), path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open64), path, flags, mode); }

int close(int fd) {
    struct open_file *file = known(fd);
    if (!file->kind) return REAL(close)(fd);
    take();
    if (file->kind == 's') record('X', fd, 0, "", 0);
    file->kind = 0;
    int done = REAL(close)(fd);
    give();
    return done;
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t offset) {
    struct open_file *file = known(fd);
    if (slow_us) usleep(slow_us);
    take();
    ssize_t done = -1;
    if (!fails(WRITES, file->part)) {
        size_t room = fits(fd, offset, length);
        if (room > 0 || length == 0) done = REAL(pwrite)(fd, bytes, room, offset);
    }
    if (done > 0 && file->kind == 'f') record('W', file->inode, offset, bytes, done);
    give();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    if (!strchr("fm", known(fd)->kind ? known(fd)->kind : '-')) return REAL(pwrite)(fd, bytes, length, offset);
    return written(fd, bytes, length, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return pwrite(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!strchr("fm", known(fd)->kind ? known(fd)->kind : '-')) return REAL(write)(fd, bytes, length);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = written(fd, bytes, length, at);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    return done;
}

int ftruncate(int fd, off_t length) {
    struct open_file *file = known(fd);
    if (file->kind != 'f' && file->kind != 'm') return REAL(ftruncate)(fd, length);
    take();
    struct stat before;
    int sized = !fstat(fd, &before);
    int done = fails(WRITES, file->part) ? -1 : REAL(ftruncate)(fd, length);
    if (!done && sized && control->bytes_left >= 0) control->bytes_left += before.st_size - length;
    if (!done && file->kind == 'f') record('T', file->inode, length, "", 0);
    give();
    return done;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int synced(int (*act)(int), int fd) {
    struct open_file *file = known(fd);
    if (file->kind != 'f' && file->kind != 'd') return act(fd);
    if (slow_us) usleep(slow_us);
    take();
    /* The kernel forgets what it could not write: the next sync says nothing of it. */
    int done = fails(SYNCS, file->part) ? -1 : act(fd);
    record(done ? 'L' : 'S', file->inode, file->kind == 'd', "", 0);
    give();
    return done;
}
int fsync(int fd) { return synced(REAL(fsync), fd); }
int fdatasync(int fd) { return synced(REAL(fdatasync), fd); }

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name || forgotten(name)) return REAL(unlink)(path);
    take();
    int done = fails(WRITES, part_of(name)) ? -1 : REAL(unlink)(path);
    if (!done) record('U', 0, 0, name, strlen(name));
    give();
    return done;
}

int unlinkat(int at, const char *path, int flags) {
    return at == AT_FDCWD && !flags ? unlink(path) : REAL(unlinkat)(at, path, flags);
}

int symlink(const char *target, const char *path) {
    const char *name = inside(path);
    if (!name) return REAL(symlink)(target, path);
    char both[8192];
    size_t length = snprintf(both, 4096, "%s", name);
    snprintf(both + length + 1, 4096, "%s", target);
    take();
    int done = fails(WRITES, part_of(name)) ? -1 : REAL(symlink)(target, path);
    if (!done) record('Y', 0, 0, both, length + 1 + strlen(target));
    give();
    return done;
}

int rename(const char *from, const char *to) {
    char both[8192] = "";
    const char *name = inside(from);
    if (name) snprintf(both, 4096, "%s", name);
    const char *second = inside(to);
    if (!both[0] || !second) return REAL(rename)(from, to);
    take();
    int done = fails(WRITES, part_of(second)) ? -1 : REAL(rename)(from, to);
    size_t length = strlen(both);
    strcpy(both + length + 1, second);
    if (!done) record('N', 0, 0, both, length + 1 + strlen(second));
    give();
    return done;
}

int mkdir(const char *path, mode_t mode) {
    const char *name = inside(path);
    if (!name) return REAL(mkdir)(path, mode);
    take();
    int done = REAL(mkdir)(path, mode);
    struct stat state;
    if (!done && !stat(path, &state)) record('D', state.st_ino, 0, name, strlen(name));
    give();
    return done;
}

/* A write that goes round pwrite would be missed. */
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    if (fd >= 0 && known(fd)->kind == 'f' && (protection & PROT_WRITE) && (flags & MAP_SHARED)) abort();
    return REAL(mmap)(at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(at, length, protection, flags, fd, offset);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    int accepted = REAL(accept4)(fd, address, length, flags);
    if (accepted >= 0 && folder_length) {
        take();
        known(accepted)->kind = 's';
        record('A', accepted, 0, "", 0);
        give();
    }
    return accepted;
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    ssize_t done = REAL(recv)(fd, bytes, length, flags);
    if (done > 0 && known(fd)->kind == 's' && !(flags & MSG_PEEK)) {
        take();
        record('R', fd, 0, bytes, done);
        give();
    }
    return done;
}

/* What is sent is known to the other side from now on. */
ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    if (known(fd)->kind == 's') {
        take();
        record('a', fd, 0, bytes, length);
        give();
    }
    return REAL(send)(fd, bytes, length, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (known(fd)->kind == 's') {
        take();
        for (int i = 0; i < count; i++) record('a', fd, 0, parts[i].iov_base, parts[i].iov_len);
        give();
    } else if (known(fd)->kind == 'f') {
        abort();
    }
    return REAL(writev)(fd, parts, count);
}
