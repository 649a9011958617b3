#include "which.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unwind.h>

#include <cmocka.h>

struct walk {
    const void *program, *cmocka; /* where they are loaded */
    uintptr_t outermost;          /* function of the program so far */
};

static const void *base_of(uintptr_t address)
{
    Dl_info info;

    return dladdr((const void *)address, &info) ? info.dli_fbase : NULL;
}

/* Outwards, up to the call by cmocka. */
static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    const void *base = base_of(_Unwind_GetIP(context));

    if (base == walk->cmocka)
        return _URC_END_OF_STACK;
    if (base == walk->program)
        walk->outermost = _Unwind_GetRegionStart(context);
    return _URC_NO_REASON;
}

uintptr_t which_test(void)
{
    struct walk walk = {
        .program = base_of((uintptr_t)which_test),
        .cmocka =
            base_of((uintptr_t)dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests")),
    };

    _Unwind_Backtrace(step, &walk);
    return walk.outermost - (uintptr_t)walk.program;
}
