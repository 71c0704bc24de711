# SPDX-License-Identifier: MIT
"""What the library must never call, and why. Shared by the tests that read its objects and the library itself."""

FORBIDDEN = {
    "ends the host": "abort exit _exit _Exit quick_exit __assert_fail raise",
    "changes the host's process": "signal sigaction sigprocmask chdir fchdir umask setlocale setenv putenv "
                                  "unsetenv clearenv atexit on_exit __cxa_atexit pthread_atfork "
                                  "__register_atfork system fork vfork daemon wait alarm setitimer setrlimit nice",
    "is stdio": "printf vprintf fprintf vfprintf puts putchar fputs fputc putc fwrite fread fopen fdopen "
                "freopen fclose fflush fgets getline perror stdin stdout stderr open_memstream popen syslog",
    "reads the environment": "getenv secure_getenv environ __environ",
    "keeps state of the process": "rand srand random strtok strerror localtime gmtime ctime asctime gethostbyname "
                                  "getpwuid getpwnam inet_ntoa readdir_r dlopen",
}
WHY = {name: reason for reason, names in FORBIDDEN.items() for name in names.split()}


def plain(name):
    """The function behind a fortified, versioned or large-file name: __printf_chk is printf, open64 is open."""
    name = name.split("@")[0]
    name = name[2:-4] if name.startswith("__") and name.endswith("_chk") else name
    return name.removesuffix("64")
