/*
 * How many arguments a Python function takes. MicroPython tells by a private
 * layout only: these structs are those of its objboundmeth.c and objclosure.c.
 */
#include "client.h"

#include "py/bc.h"
#include "py/objfun.h"
#include "py/objtype.h"

/* It has no header. */
extern const mp_obj_type_t mp_type_closure;

struct bound_method {
    mp_obj_base_t base;
    mp_obj_t function, self;
};

struct closure {
    mp_obj_base_t base;
    mp_obj_t function;
    size_t closed_count;
    mp_obj_t closed[];
};

/* From the head of its code, which both kinds of code have. */
static bool code_takes(const byte *head, size_t count)
{
    MP_BC_PRELUDE_SIG_DECODE(head);
    return (scope_flags & MP_SCOPE_FLAG_VARARGS) || n_pos_args >= count;
}

static bool builtin_takes(const mp_obj_fun_builtin_var_t *function,
                          size_t count)
{
    return ((function->sig >> 1) & 0xFFFF) >= count;
}

/* Nothing is known of the others: as the later releases of lwmqtt call. */
static bool takes(mp_obj_t f, size_t count)
{
    if (mp_obj_is_type(f, &mp_type_bound_meth))
        return takes(((struct bound_method *)MP_OBJ_TO_PTR(f))->function,
                     count + 1);
    if (mp_obj_is_type(f, &mp_type_closure)) {
        struct closure *closure = MP_OBJ_TO_PTR(f);

        return takes(closure->function, count + closure->closed_count);
    }
    if (mp_obj_is_type(f, &mp_type_fun_bc))
        return code_takes(((mp_obj_fun_bc_t *)MP_OBJ_TO_PTR(f))->bytecode,
                          count);
#if MICROPY_EMIT_NATIVE
    if (mp_obj_is_type(f, &mp_type_fun_native))
        return code_takes(mp_obj_fun_native_get_prelude_ptr(MP_OBJ_TO_PTR(f)),
                          count);
#endif
    if (mp_obj_is_type(f, &mp_type_fun_builtin_var))
        return builtin_takes(MP_OBJ_TO_PTR(f), count);
    return !mp_obj_is_type(f, &mp_type_fun_builtin_1) &&
           (count < 3 || !mp_obj_is_type(f, &mp_type_fun_builtin_2)) &&
           (count < 4 || !mp_obj_is_type(f, &mp_type_fun_builtin_3));
}

bool takes_topic(mp_obj_t function)
{
    mp_obj_t method[2];

    if (mp_obj_is_instance_type(mp_obj_get_type(function))) {
        mp_load_method(function, MP_QSTR___call__, method);
        return takes(method[0], method[1] == MP_OBJ_NULL ? 3 : 4);
    }
    return takes(function, 3);
}
