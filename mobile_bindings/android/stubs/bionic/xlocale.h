/* Android's libc has locale_t here; the check compiles with glibc's headers, which have it there. */
#include <locale.h>
