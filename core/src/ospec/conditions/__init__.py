"""Conditions of metrics in words: ``error_rate > 5% and not response_time_p95 <= 2000ms``."""
