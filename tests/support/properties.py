"""How properties are tried here: as long as it takes, for a busy machine is no failure."""

from hypothesis import HealthCheck, settings

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
