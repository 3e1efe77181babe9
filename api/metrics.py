"""What Prometheus reads: requests, posted deals, connections, the pool. No names, no amounts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

Reading = Callable[[], Mapping[str, float]]


class Metrics:
    """The metrics of one application; a registry of its own, so that tests can make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "paceboard_http_request_seconds",
            "How long requests took.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.posted = Counter(
            "paceboard_deals_posted",
            "Deals posted, by what became of them: accepted, not_recorded, or why refused.",
            ("outcome",),
            registry=self.registry,
        )

    def watch(self, *, gauges: Mapping[str, Reading], counters: Mapping[str, Reading]) -> None:
        """Read these when asked: {prefix of the name: reading of its parts}."""
        self.registry.register(_Readings(gauges, counters))

    def text(self) -> bytes:
        """The page that Prometheus scrapes."""
        return generate_latest(self.registry)


class _Readings(Collector):
    def __init__(self, gauges: Mapping[str, Reading], counters: Mapping[str, Reading]) -> None:
        self._gauges = gauges
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        for prefix, reading in self._gauges.items():
            for name, value in reading().items():
                yield GaugeMetricFamily(f"{prefix}_{name}", name.replace("_", " "), value)
        for prefix, reading in self._counters.items():
            for name, value in reading().items():
                yield CounterMetricFamily(f"{prefix}_{name}", name.replace("_", " "), value)

    def describe(self) -> Iterable[Metric]:
        return ()
