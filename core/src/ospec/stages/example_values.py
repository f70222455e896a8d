"""Values for the example document, where the model's defaults would show nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GUARDRAILS = {
    "tests_required": True,
    "security_scan_required": True,
    "security_scan": "error",
    "min_test_coverage": 0.8,
    "human_approval_required": ["production"],
    "rollback_timeout_minutes": 5,
    "health_check_retries": 3,
}

VALUES: Mapping[str, Any] = {
    "ospec_version": "1.0",
    "id": "shop",
    "name": "Shop",
    "description": "Sells things",
    "outcome_type": "web-app",
    "technology_stack": {"language": "Python"},
    "tasks": [{"id": "checkout", "description": "Customers can pay"}],
    "metadata": {"owner": "shop team"},
    "agents": {"primary": "builder"},
    "stack": {
        "deploy": "local",
        "frontend": "Next.js",
        "backend": "Node.js + Express",
        "database": "PostgreSQL",
        "cache": "Redis",
        "load_balancer": "Envoy",
        "monitoring": "Prometheus",
    },
    "scripts": {
        "start": "npm run start:production",
        "build": "npm run build",
        "test": ["npm", "run", "test"],
        "package": "npm pack",
        "smoke_test": "npm run test:smoke",
        "health_check": "curl -f $HEALTH_CHECK_URL/health",
        "deploy": "npm run deploy:production",
        "rollback": "npm run rollback",
        "migrate": {"run": "npm run db:migrate", "timeout_seconds": "15m", "rerun": "ask"},
    },
    "processes": {"worker": {"start": "npm run worker", "instances": 2, "port": False}},
    "variables": {"NODE_ENV": "production", "LOG_LEVEL": "info"},
    "include": ["dist/**"],
    "keep_releases": 5,
    "acceptance": {"http_endpoints": [{"path": "/", "contains": "Shop"}]},
    "guardrails": {**_GUARDRAILS, "deployment": _GUARDRAILS},
    "secrets": {
        "provider": "local://env",
        "required": ["DATABASE_URL"],
        "optional": ["SENTRY_DSN"],
        "region": "eu-central-1",
    },
    "monitoring": {
        "health_check_url": "${APP_URL}/health",
        "health_checks": [
            {"endpoint": "/health"},
            {"endpoint": "/ready", "interval_seconds": 10, "timeout_seconds": 3},
        ],
        "metrics": [{"name": "error_rate", "threshold": 0.01}, {"name": "response_time_p95", "threshold": 500}],
        "alerts": [{"name": "Many errors", "condition": "error_rate > 0.05", "channels": ["slack"]}],
        "notices": {"channels": ["slack"]},
        "error_tracking": "Sentry",
        "performance_monitoring": "Prometheus",
        "apm": "Datadog",
        "logging": "CloudWatch",
        "alerting": "PagerDuty",
    },
    "deployment": {
        "strategy": "blue_green",
        "environments": {
            "blue": {"url": "https://blue.shop.example", "instances": 3},
            "green": {"url": "https://green.shop.example", "instances": 3},
        },
        "traffic_switching": {
            "validation_checks": ["health_check", "smoke_tests"],
            "rollback_threshold_seconds": "5m",
        },
        "instances": 3,
        "batch_size": "25%",
        "max_unavailable": 1,
        "max_surge": 2,
        "grace_seconds": 10,
        "maintenance": {"retry_after_seconds": 60, "page": "maintenance.html"},
        "match_headers": {"canary": "true"},
        "sticky": True,
        "analysis": {
            "interval": "30s",
            "threshold": 5,
            "max_weight": 50,
            "step_weight": 10,
            "metrics": [
                {
                    "name": "request-success-rate",
                    "threshold_range": {"min": 99, "max": 100},
                    "interval": "30s",
                    "query": "success_rate",
                }
            ],
            "webhooks": [
                {
                    "name": "load test",
                    "type": "rollout",
                    "url": "http://127.0.0.1:9090/start",
                    "timeout": "15s",
                    "metadata": {"profile": "short"},
                }
            ],
            "load": {
                "requests_per_second": 20,
                "requests": [{"path": "/search?q=x", "method": "GET", "headers": {"accept": "text/html"}, "body": "x"}],
            },
            "judge": "sequential",
            "limit_seconds": "30m",
            "on_limit": "abort",
        },
        "steps": [
            {"weight": 0, "hold_seconds": "1m", "analysis": False, "match_headers": {"canary": "true"}},
            {"weight": 10, "hold_seconds": "2m", "pause": True, "match_headers": {"canary": "true"}},
        ],
    },
    "environments": {
        "staging": {"stack": {"database": "SQLite"}, "guardrails": {"security_scan": "warn"}},
        "production": {"deployment": {"keep_seconds": "2h"}, "secrets": {"required": ["DATABASE_URL", "API_KEY"]}},
    },
    "state": {"store": "sqlite"},
    "cdn": {
        "provider": "Cloudflare",
        "settings": {
            "cache_level": "aggressive",
            "browser_ttl": "1d",
            "edge_ttl": "30d",
            "minify": {"html": True, "css": True, "js": True},
            "compression": "gzip",
            "rules": [{"pattern": "*.css", "cache_ttl": "365d"}, {"pattern": "/api/*", "cache_ttl": 0}],
        },
    },
    "plugins": {"enabled": ["local", "blue-green"], "local": {"port": 8080}},
}
