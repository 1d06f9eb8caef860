"""What the dashboard's page may do, as the headers that tell the browser.

| it talks to          | because                                             |
|----------------------|-----------------------------------------------------|
| its own server       | the API, its scripts and styles                     |
| Cognito              | people sign in there, so that we see no password    |
| the buckets in S3    | uploads go there, previews and reports come from it |
| the site             | delivered images are shown                          |

Nothing else: a script that got into the page could send what it finds nowhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from chalicelib.settings import Settings

# None of these is used, so nothing that comes into the page can ask for it either.
UNUSED = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")


def headers(settings: Settings) -> dict[str, str]:
    return {
        "Content-Security-Policy": content_security(settings),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
        "Referrer-Policy": "no-referrer",
    }


def content_security(settings: Settings) -> str:
    s3 = buckets(settings)
    allowed = {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:", *s3, origin(settings.site_url)],
        "connect-src": ["'self'", cognito(settings), *s3],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{directive} {' '.join(dict.fromkeys(sources))}" for directive, sources in allowed.items())


def buckets(settings: Settings) -> list[str]:
    """The origins of presigned addresses, as botocore makes them; those of the private variants among them."""
    if settings.endpoint:
        return [origin(settings.endpoint)]
    region = "" if settings.region == "us-east-1" else f".{settings.region}"
    return [
        f"https://{bucket}.s3{region}.{domain(settings.region)}"
        for bucket in (settings.media_bucket, settings.site_bucket)
    ]


def cognito(settings: Settings) -> str:
    if settings.endpoint:
        return origin(settings.endpoint)
    region = settings.user_pool.partition("_")[0] or settings.region
    return f"https://cognito-idp.{region}.{domain(region)}"


def domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
