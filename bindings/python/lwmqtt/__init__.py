"""The name under which scripts for Zerynth know mqttloop:

    from lwmqtt import mqtt
"""

from mqttloop import mqtt

__all__ = ['mqtt']
