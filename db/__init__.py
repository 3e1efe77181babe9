"""Every SQL statement of the product. SQLAlchemy Core declares the tables; psycopg writes them."""
