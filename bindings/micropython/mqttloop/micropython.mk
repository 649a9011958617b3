# For a port that is built by make:
#     make -C ports/unix USER_C_MODULES=.../mqttloop/bindings/micropython
# The core is compiled in; what nothing names the linker drops.
MQTTLOOP_MODULE := $(USERMOD_DIR)
MQTTLOOP_TOP := $(abspath $(MQTTLOOP_MODULE)/../../..)

SRC_USERMOD_C += $(sort $(wildcard $(MQTTLOOP_MODULE)/*.c))
SRC_USERMOD_LIB_C += $(patsubst $(MQTTLOOP_TOP)/%,%,$(sort \
  $(wildcard $(addprefix $(MQTTLOOP_TOP)/lib/,*.c wire/*.c session/*.c \
  engine/*.c client/*.c))))

CFLAGS_USERMOD += -I$(MQTTLOOP_TOP)/include -I$(MQTTLOOP_TOP)/lib
vpath lib/%.c $(MQTTLOOP_TOP)
