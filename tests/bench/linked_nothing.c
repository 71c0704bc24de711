/* SPDX-License-Identifier: MIT */
/* linked_nothing.c - the floor under `hq --version`: a program with the same libraries that does nothing. The names that it
 * mentions keep the linker from leaving a library out. */
#include <hqcore.h>
#include <jansson.h>

int main(int argc, char **argv)
{
    return argc > 0 ? 0 : hq_version() == 0 || json_null() != NULL;
}
