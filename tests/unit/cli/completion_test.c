/* SPDX-License-Identifier: MIT */
/* completion_test.c - completion scripts name every command and option of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "commands.h"
#include "completion.h"
#include "walk.h"

static void check_names(void *user, const char *path, const struct command *cmd)
{
    const char *script = user;
    const struct arg *args[ARGS_MAX];
    size_t n = command_args(cmd, args);
    assert_non_null(strstr(script, path));
    for (size_t i = 0; i < n; i++)
        if (!(args[i]->flags & ARG_POSITIONAL) && args[i]->name)
            assert_non_null(strstr(script, args[i]->name));
}

static void test_complete(void **state)
{
    for (int shell = SHELL_BASH; shell <= SHELL_ZSH; shell++) {
        struct str out = {0};
        completion_script(&out, (enum shell)shell, &commands_root);
        walk_commands(&commands_root, check_names, out.p);
        str_free(&out);
    }
}

static void count(void *user, const char *path, const struct command *cmd)
{
    size_t *n = user;
    assert_memory_equal(path, "hq", 2);
    ++*n;
}

static void test_walk_sees_all(void **state)
{
    size_t n = 0, want = 1;
    walk_commands(&commands_root, count, &n);
    for (const struct command *s = commands_root.subs; s->name; s++, want++)
        for (const struct command *t = s->subs; t && t->name; t++)
            want++;
    assert_int_equal(n, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_complete), cmocka_unit_test(test_walk_sees_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
