"""The versions of the services; tests hold pom.xml and the Docker files to them."""

KAFKA = "4.1.1"
KAFKA_SCALA = "2.13"
TIMESCALEDB = "2.19.3"
POSTGRES_MAJOR = 17
WHEEL_MAJOR = 18
DEBIAN_SUITE = "trixie"
NODE_MAJOR_MIN = 20
JAVA_MAJOR_MIN = 17
