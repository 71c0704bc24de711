/* SPDX-License-Identifier: MIT */
/* replay.c - runs a fuzz target without a fuzzer, so that each build of the tests runs it.
 *
 *   NAME_fuzz [--seed N] [--mutations N] [FILE | DIRECTORY]...
 *
 * Each file is run as it is (a corpus, or what a fuzzer found). Then as many inputs are run as --mutations says: valid
 * samples of the target and the files, each with some bytes changed, cut, doubled or put elsewhere. The same
 * seed gives the same inputs; before a crash, the input can be had with --last FILE, which is written before each run. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define ROOM (1u << 20) /* larger inputs are cut */
#define NOISE 64u       /* bytes, where there is nothing better to start from */
#define MAX_FILES 10000u
#define PATH_ROOM 4096u

struct input {
    uint8_t *p; /* owned */
    size_t n;
};

struct replay {
    struct input files[MAX_FILES];
    size_t n_files;
    uint64_t seed;
    unsigned long mutations;
    const char *last; /* borrowed from argv; NULL: nowhere */
};

static uint64_t next(struct replay *r) /* splitmix64 */
{
    uint64_t z = r->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(struct replay *r, size_t n)
{
    return n ? (size_t)(next(r) % n) : 0;
}

static void die(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s: ", what);
    perror(path);
    exit(2);
}

/* In a block of its own size, so that a byte too far is seen. */
static void run(struct replay *r, const uint8_t *p, size_t n)
{
    if (r->last) {
        FILE *f = fopen(r->last, "wb");
        if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
            die("cannot write", r->last);
    }
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        die("no memory", "");
    if (n)
        memcpy(exact, p, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

/* ---- files ---- */

static void add_file(struct replay *r, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct input in = {malloc(ROOM), 0};
    if (!f || !in.p || r->n_files == MAX_FILES)
        die("cannot read", path);
    in.n = fread(in.p, 1, ROOM, f);
    fclose(f);
    r->files[r->n_files++] = in;
}

static int is_entry(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void add_path(struct replay *r, const char *path)
{
    struct stat st;
    struct dirent **names;
    if (stat(path, &st) < 0)
        die("cannot stat", path);
    if (!S_ISDIR(st.st_mode)) {
        add_file(r, path);
        return;
    }
    int n = scandir(path, &names, is_entry, alphasort);
    if (n < 0)
        die("cannot list", path);
    for (int i = 0; i < n; i++) {
        char child[PATH_ROOM];
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        add_path(r, child);
        free(names[i]);
    }
    free(names);
}

/* ---- mutations ---- */

static size_t change_bytes(struct replay *r, uint8_t *p, size_t n)
{
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, '"', '%', '-', ','};
    for (size_t k = 1 + below(r, 4); k && n; k--)
        switch (below(r, 3)) {
        case 0:
            p[below(r, n)] ^= (uint8_t)(1u << below(r, 8));
            break;
        case 1:
            p[below(r, n)] = (uint8_t)next(r);
            break;
        default:
            p[below(r, n)] = telling[below(r, sizeof telling)];
        }
    return n;
}

static size_t cut_out(struct replay *r, uint8_t *p, size_t n)
{
    size_t at = below(r, n), length = below(r, n - at + 1);
    memmove(p + at, p + at + length, n - at - length);
    return n - length;
}

static size_t put_in(struct replay *r, uint8_t *p, size_t n)
{
    size_t from = below(r, n), length = below(r, (n - from < 64 ? n - from : 64) + 1), at = below(r, n + 1);
    uint8_t piece[64];
    if (n + length > ROOM)
        return n;
    memcpy(piece, p + from, length);
    memmove(p + at + length, p + at, n - at);
    memcpy(p + at, piece, length);
    return n + length;
}

static size_t cut_off(struct replay *r, uint8_t *p, size_t n)
{
    return below(r, n + 1);
}

static size_t mutate(struct replay *r, uint8_t *p, size_t n)
{
    static size_t (*const ways[])(struct replay *, uint8_t *, size_t) = {
        change_bytes, change_bytes, change_bytes, cut_out, put_in, cut_off};
    for (size_t k = 1 + below(r, 3); k; k--)
        n = ways[below(r, sizeof ways / sizeof *ways)](r, p, n);
    return n;
}

static size_t noise(struct replay *r, uint8_t *p)
{
    size_t n = below(r, NOISE);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)next(r);
    return n;
}

static size_t pick(struct replay *r, uint8_t *p)
{
    if (fuzz_sample && (r->n_files == 0 || below(r, 2)))
        return fuzz_sample(next(r), p, ROOM);
    if (r->n_files == 0)
        return noise(r, p);
    const struct input *in = &r->files[below(r, r->n_files)];
    memcpy(p, in->p, in->n);
    return in->n;
}

/* ---- the program ---- */

static bool option(struct replay *r, const char *name, const char *value)
{
    if (!value)
        return false;
    if (strcmp(name, "--seed") == 0)
        r->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--mutations") == 0)
        r->mutations = strtoul(value, NULL, 10);
    else if (strcmp(name, "--last") == 0)
        r->last = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct replay *r = calloc(1, sizeof *r);
    uint8_t *room = malloc(ROOM);
    if (!r || !room)
        die("no memory", "");
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--", 2) != 0)
            add_path(r, argv[i]);
        else if (!option(r, argv[i], argv[i + 1]))
            die("not an option", argv[i]);
        else
            i++;
    for (size_t i = 0; i < r->n_files; i++)
        run(r, r->files[i].p, r->files[i].n);
    for (unsigned long i = 0; i < r->mutations; i++) {
        size_t n = pick(r, room);
        run(r, room, mutate(r, room, n));
    }
    printf("%zu files, %lu mutations\n", r->n_files, r->mutations);
    for (size_t i = 0; i < r->n_files; i++)
        free(r->files[i].p);
    free(room);
    free(r);
    return 0;
}
