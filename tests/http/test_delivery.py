"""The way of a request: any image at any size from one URL, made on its first request and served by S3 ever after."""

from __future__ import annotations

import io
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from docs.signers import proofsheet_urls
from tests.bad_images import sample

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="session")
def photo(member, photo_bytes):
    """An image of the member, 512 x 512 pixels."""
    return uploaded(member, photo_bytes[0], "image/png")


@pytest.fixture(scope="session")
def admin(new_caller):
    return new_caller("admin")


@pytest.fixture(scope="session")
def admins_photo(admin, photo_bytes):
    return uploaded(admin, photo_bytes[1], "image/png")


def uploaded(caller, data, content_type="image/jpeg"):
    image = caller.upload(data, content_type=content_type)
    caller.until(f"/images/{image}", lambda seen: seen["state"] in ("ready", "failed"))
    return image


def sign(caller, source, operations="", format="jpg", **options):
    answer = caller("POST", "/urls", {"source": source, "operations": operations, "format": format, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fetch(url, **options):
    return requests.get(url, timeout=30, **options)


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def steps(answer):
    return [step.status_code for step in (*answer.history, answer)]


def asked(caller, key, **query):
    """`GET /resize` itself, without following where it leads."""
    return fetch(f"{caller.base_url}/resize", params={"key": key, **query}, allow_redirects=False)


def resized(key, answer):
    """The key that a redirect leads to."""
    return urlsplit(answer.headers["Location"]).path[urlsplit(answer.headers["Location"]).path.index("/v/") + 1 :]


def photograph(width, height, seed=0):
    """Noise, which no format packs well."""
    noise = random.Random(seed).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), noise)


def encoded(image, format):
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


# The way of a request


def test_a_variant_is_made_on_its_first_request_and_served_by_s3_ever_after(member, photo):
    url = sign(member, photo, "w200,h100,fit:cover")["url"]
    first, second = fetch(url), fetch(url)
    assert steps(first) == [307, 302, 200]
    assert steps(second) == [200]
    assert opened(first).size == (200, 100)
    assert first.content == second.content
    assert second.headers["Content-Type"] == "image/jpeg"
    assert second.headers["Cache-Control"] == IMMUTABLE


def test_a_browser_that_has_the_variant_gets_304(member, photo):
    url = sign(member, photo, "w64")["url"]
    etag = fetch(url).headers["ETag"]
    assert fetch(url, headers={"If-None-Match": etag}).status_code == 304


def test_resize_says_whether_it_made_the_variant(member, photo):
    key = sign(member, photo, "w65")["key"]
    made, hit = asked(member, key), asked(member, key)
    assert (made.status_code, made.headers["X-Variant"]) == (302, "made")
    assert (hit.status_code, hit.headers["X-Variant"]) == (302, "hit")
    assert made.headers["Cache-Control"] == hit.headers["Cache-Control"] == "no-store"
    assert fetch(made.headers["Location"]).content == fetch(hit.headers["Location"]).content


def test_who_comes_back_is_never_sent_round_in_a_circle(member, photo):
    """Whatever state the site is in: the second answer leads to storage itself, which redirects nobody."""
    key = sign(member, photo, "w66")["key"]
    asked(member, key)
    again = asked(member, key).headers["Location"]
    assert steps(requests.get(again, allow_redirects=False, timeout=10)) == [200]


def test_small_results_come_inline_when_asked_for(member, photo):
    key = sign(member, photo, "w67", "webp")["key"]
    answer = asked(member, key, inline=1)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == IMMUTABLE
    assert opened(answer).size == (67, 67)
    known = {"If-None-Match": answer.headers["ETag"]}
    unchanged = requests.get(f"{member.base_url}/resize", params={"key": key, "inline": 1}, headers=known, timeout=10)
    assert unchanged.status_code == 304


def test_a_result_of_12_megabytes_arrives_intact(member):
    picture = photograph(2100, 2000)
    image = uploaded(member, encoded(picture, "PNG"), "image/png")
    made = sign(member, image, format="png")
    answer = fetch(made["url"])
    assert len(answer.content) > 12_000_000
    assert opened(answer).tobytes() == picture.tobytes()
    assert asked(member, made["key"], inline=1).status_code == 302


def test_of_fifty_simultaneous_first_requests_at_most_two_render_and_all_get_the_image(member, photo):
    key = sign(member, photo, "w400,blur:2", "webp")["key"]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: asked(member, key), range(50)))
    assert {answer.status_code for answer in answers} == {302}
    assert sum(answer.headers["X-Variant"] == "made" for answer in answers) <= 2
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda answer: fetch(answer.headers["Location"]).content, answers))
    assert len(set(pictures)) == 1


def test_a_replaced_original_gets_a_new_address(member):
    files = [{"name": "a.jpg", "content_type": "image/jpeg", "size": 100_000}]
    data = [encoded(photograph(120, 90, seed), "JPEG") for seed in (1, 2)]
    files[0]["size"] = max(map(len, data))
    data = [each.ljust(files[0]["size"], b"\0") for each in data]
    slot = member("POST", "/images", {"files": files}).json()["items"][0]
    assert member.send(slot, data[0]).status_code == 204
    before = sign(member, slot["id"], "w60")
    old = fetch(before["url"]).content
    assert member.send(slot, data[1]).status_code == 204
    after = sign(member, slot["id"], "w60")
    assert after["key"] != before["key"]
    assert fetch(after["url"]).content != old


def test_an_outdated_address_that_was_never_made_leads_to_the_current_one(member):
    size = len(encoded(photograph(120, 90, 3), "JPEG")) + 1000
    slot = member("POST", "/images", {"files": [{"name": "a.jpg", "content_type": "image/jpeg", "size": size}]}).json()[
        "items"
    ][0]
    first, second = (encoded(photograph(120, 90, seed), "JPEG").ljust(size, b"\0") for seed in (3, 4))
    member.send(slot, first)
    outdated = sign(member, slot["id"], "w61")["url"]
    member.send(slot, second)
    assert fetch(outdated).content == fetch(sign(member, slot["id"], "w61")["url"]).content


def test_deleting_an_image_removes_its_variants(member, jpeg):
    image = uploaded(member, jpeg)
    url = sign(member, image, "w50")["url"]
    assert fetch(url).status_code == 200
    assert member("DELETE", f"/images/{image}").status_code == 204
    gone = fetch(url)
    assert steps(gone) == [307, 404]
    assert gone.json()["error"]["code"] == "not_found"
    assert gone.headers["Cache-Control"] == "public, max-age=60"


# Signatures


def test_an_address_that_was_changed_anywhere_is_refused(member, photo):
    key = sign(member, photo, "w70")["key"]
    for changed in (key.replace("w70", "w71"), key.replace(".jpg", ".png"), key.replace("/w70", ",x/w70", 1)):
        assert asked(member, changed).status_code in (400, 403)
    signature = key.split("/")[1]
    forged = key.replace(signature, signature[:-1] + ("A" if signature[-1] != "A" else "B"))
    assert asked(member, forged).status_code in (400, 403)


def test_a_signature_is_good_for_one_image_alone(member, photo, jpeg):
    key = sign(member, photo, "w72")["key"]
    other = uploaded(member, jpeg)
    replayed = asked(member, key.replace(photo, other))
    assert replayed.status_code == 403
    assert replayed.json()["error"]["field"] == "key"


def test_an_expiring_address_ends_and_s3_never_serves_it_by_itself(member, photo):
    signed = sign(member, photo, "w73", expires_in=3)
    first, second = fetch(signed["url"]), fetch(signed["url"])
    assert opened(first).size == (73, 73)
    assert steps(second)[0] == 307
    assert re.fullmatch(r"private, max-age=[0-3]", second.headers["Cache-Control"])
    time.sleep(3.1)
    late = fetch(signed["url"])
    assert late.status_code == 410
    assert late.json()["error"]["code"] == "gone"


def test_another_account_cannot_sign_an_image(stranger, photo):
    assert stranger("POST", "/urls", {"source": photo}).status_code == 404


def test_a_site_signs_its_own_addresses(admin, admins_photo):
    key = admin("GET", "/signing-key").json()
    url = proofsheet_urls.sign_url(
        key["site"], key["account"], key["key_id"], key["account_key"], admins_photo, "w80,h80,fit:cover", "webp"
    )
    answer = fetch(url)
    assert opened(answer).size == (80, 80)
    assert steps(answer)[:3] == [307, 302, 307]  # without a version: first to the address that has one


def test_only_an_admin_sees_the_signing_key(member):
    assert member("GET", "/signing-key").status_code == 403


# Presets


def test_a_preset_is_used_without_a_signature(admin, admins_photo):
    stored = {"operations": "h40,w40,fit:cover", "format": "webp", "quality": 70}
    assert admin("PUT", "/presets/tile", stored).json()["operations"] == "w40,h40,fit:cover"
    answer = fetch(preset_url(admin, admins_photo, "tile", "webp"))
    assert opened(answer).size == (40, 40)
    assert answer.history[1].headers["Cache-Control"] == "public, max-age=60"
    assert answer.headers["Cache-Control"] == IMMUTABLE
    assert "tile" in {preset["name"] for preset in admin("GET", "/presets").json()["items"]}


def test_a_preset_worded_anew_is_seen_at_the_same_address(admin, admins_photo):
    url = preset_url(admin, admins_photo, "worded", "jpg")
    sizes = []
    for operations in ("w30", "w31"):
        admin("PUT", "/presets/worded", {"operations": operations})
        sizes.append(opened(fetch(url)).width)
    assert sizes == [30, 31]


def test_a_preset_gives_its_own_format_only(admin, admins_photo):
    admin("PUT", "/presets/fixed", {"operations": "w30", "format": "webp"})
    assert fetch(preset_url(admin, admins_photo, "fixed", "png")).status_code == 403


def test_a_deleted_or_unknown_preset_is_not_found(admin, admins_photo):
    admin("PUT", "/presets/passing", {"operations": "w33"})
    assert admin("DELETE", "/presets/passing").status_code == 204
    assert fetch(preset_url(admin, admins_photo, "passing", "jpg")).status_code == 404
    assert admin("DELETE", "/presets/passing").status_code == 404


def test_members_see_presets_and_only_admins_change_them(member):
    assert member("GET", "/presets").status_code == 200
    assert member("PUT", "/presets/mine", {"operations": "w30"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"operations": "w0"}, 400, "operations"),
        ({"operations": "w30,w31"}, 400, "operations"),
        ({"operations": "zoom:3"}, 400, "operations"),
        ({"operations": "w30,v:abc"}, 422, "operations"),
        ({"operations": "q:80", "quality": 70}, 422, "quality"),
        ({"format": "bmp"}, 400, "format"),
        ({"fallback": "0" * 26}, 404, "fallback"),
    ],
)
def test_a_preset_that_cannot_be_is_refused(admin, body, status, field):
    answer = admin("PUT", "/presets/bad", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


def test_a_presets_fallback_image_stands_in_with_the_refusals_status(admin, admins_photo):
    admin("PUT", "/presets/safe", {"operations": "w36,h36,fit:cover", "format": "jpg", "fallback": admins_photo})
    url = preset_url(admin, admins_photo, "safe", "jpg").replace(admins_photo, "0" * 26)
    answer = fetch(url)
    assert answer.status_code == 404
    assert Image.open(io.BytesIO(answer.content)).size == (36, 36)
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    key = sign(admin, admins_photo, "w37")["key"]
    forged = asked(admin, key.replace("w37", "w38"), default="preset:safe")
    assert (forged.status_code, forged.headers["Content-Type"]) == (403, "image/jpeg")


def test_presets_can_be_made_at_upload(admin, photo_bytes):
    admin("PUT", "/presets/ready", {"operations": "w44", "format": "webp", "at_upload": True})
    image = uploaded(admin, photo_bytes[2], "image/png")
    key = preset_url(admin, image, "ready", "webp")
    versioned = asked(admin, key[key.index("v/preset") :]).headers["Location"]
    end = time.monotonic() + 20
    while steps(fetch(versioned, allow_redirects=False)) != [200] and time.monotonic() < end:
        time.sleep(0.3)
    assert steps(fetch(versioned, allow_redirects=False)) == [200]
    admin("DELETE", "/presets/ready")


def preset_url(caller, image, name, format):
    """As a front end writes it, which knows the site, its account and the image."""
    url = sign(caller, image, "w20")["url"]
    site, tail = url[: url.index("/v/")], url.split("/", 6 if "_website" not in url else 8)[-1]
    account = tail.split("/")[-2]
    return f"{site}/v/preset/{name}/{account}/{image}.{format}"


# Formats


def test_auto_leads_each_browser_to_a_format_that_it_takes(member, photo):
    url = sign(member, photo, "w120", "auto")["url"]
    newest = fetch(url, headers={"Accept": "image/avif,image/webp,*/*"})
    newer = fetch(url, headers={"Accept": "image/webp,*/*"})
    old = fetch(url, headers={"Accept": "image/*"})
    assert newest.headers["Content-Type"] in ("image/avif", "image/webp")
    assert newer.headers["Content-Type"] == "image/webp"
    assert old.headers["Content-Type"] == "image/jpeg"
    assert {"Vary": "Accept", "Cache-Control": "private, max-age=86400"}.items() <= newer.history[1].headers.items()
    assert len({newest.url, newer.url, old.url}) >= 2


def test_avif_is_chosen_only_where_it_saves_a_tenth(member, photo):
    sizes = {format: len(fetch(sign(member, photo, "w121", format)["url"]).content) for format in ("avif", "webp")}
    chosen = fetch(sign(member, photo, "w121", "auto")["url"], headers={"Accept": "image/avif,image/webp"})
    saves = sizes["avif"] <= 0.9 * sizes["webp"]
    assert chosen.headers["Content-Type"] == ("image/avif" if saves else "image/webp")


def test_auto_never_stores_one_format_under_anothers_key(member, photo):
    key = sign(member, photo, "w122", "auto")["key"]
    for accept in ("image/webp", "image/jpeg"):
        location = requests.get(
            f"{member.base_url}/resize",
            params={"key": key},
            headers={"Accept": accept},
            allow_redirects=False,
            timeout=10,
        ).headers["Location"]
        answer = fetch(location)
        assert answer.headers["Content-Type"] == {"webp": "image/webp", "jpg": "image/jpeg"}[location.rsplit(".")[-1]]


def test_an_animation_stays_one_and_transparency_too(member):
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    moving = uploaded(member, buffer.getvalue(), "image/gif")
    clear = uploaded(member, encoded(Image.new("RGBA", (30, 30), (255, 0, 0, 100)), "PNG"), "image/png")
    everything = {"Accept": "image/avif,image/webp"}
    assert opened(fetch(sign(member, moving, "w20", "auto")["url"], headers=everything)).n_frames == 3
    assert opened(fetch(sign(member, moving, "w20", "auto")["url"])).format == "GIF"
    assert opened(fetch(sign(member, clear, "w20", "auto")["url"])).format == "PNG"


def test_the_visitors_accept_settles_auto_when_the_address_is_signed(member, photo):
    for accept, format in (("image/avif,image/webp", "webp"), ("image/webp", "webp"), ("text/html", "auto")):
        assert sign(member, photo, "w30", "auto", accept=accept)["key"].endswith(f".{format}")


def test_a_srcset_names_a_variant_for_each_width(member, photo):
    answer = sign(member, photo, "q:70", "webp", widths=[320, 160])
    candidates = [candidate.split(" ") for candidate in answer["srcset"].split(", ")]
    assert [width for _, width in candidates] == ["160w", "320w"]
    assert [opened(fetch(url)).width for url, _ in candidates] == [160, 320]


# What else may come


def test_head_says_what_get_would(member, photo):
    made = sign(member, photo, "w90")
    head = requests.head(made["url"], allow_redirects=True, timeout=20)
    assert (steps(head), head.content) == ([307, 302, 200], b"")
    assert int(head.headers["Content-Length"]) == len(fetch(made["url"]).content)
    forged = requests.head(f"{member.base_url}/resize", params={"key": made["key"].replace("w90", "w91")}, timeout=10)
    assert (forged.status_code, forged.content) == (403, b"")


def test_a_range_of_a_variant(member, photo):
    url = sign(member, photo, "w91")["url"]
    whole = fetch(url).content
    part = fetch(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])


def test_a_client_without_accept_gets_what_others_get(member, photo):
    key = sign(member, photo, "w92")["key"]
    answer = requests.get(
        f"{member.base_url}/resize", params={"key": key, "inline": 1}, headers={"Accept": None}, timeout=10
    )
    assert opened(answer).width == 92


@pytest.mark.parametrize(
    "key",
    [
        "",
        "v/",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/../../secret.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/a234567abcdefghij/s/..%2F..%2Fsecret.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/a234567abcdefghij/s//double.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w999999/a234567abcdefghij/s/a.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w0/a234567abcdefghij/s/a.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/crop:-1:0:5:5/a234567abcdefghij/s/a.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10,w20/a234567abcdefghij/s/a.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/h10,w20/a234567abcdefghij/s/a.jpg",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/a234567abcdefghij/s/a.exe",
        "v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/another-bucket/s/a.jpg",
        "originals/a234567abcdefghij/x",
        "v/preset/../a234567abcdefghij/s/a.jpg",
        "v/1.AAAA/w10\u0000/a.jpg",
    ],
)
def test_a_key_that_is_none_is_refused_in_words(member, key):
    answer = asked(member, key)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["field"] == "key"
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert len(answer.content) < 1000


def test_an_unknown_source_and_a_forged_signature_for_it(member, photo):
    account = member("GET", "/me").json()["account"]
    assert member("POST", "/urls", {"source": "no/such/original.jpg"}).status_code == 404
    assert asked(member, f"v/1.AAAAAAAAAAAAAAAAAAAAAA/w10/{account}/s/a.jpg").status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"operations": "w-5"}, 400, "operations"),
        ({"operations": "w5,x:99"}, 400, "operations"),
        ({"format": "tiff"}, 400, "format"),
        ({"expires_in": 0}, 422, "expires_in"),
        ({"widths": [0]}, 422, "widths[0]"),
        ({"operations": "w5", "widths": [10]}, 422, "widths"),
        ({"source": "../secret"}, 400, "source"),
        ({"source": "a\u0000b"}, 400, "source"),
        ({"size": 3}, 400, "size"),
    ],
)
def test_an_address_that_cannot_be_signed(member, photo, body, status, field):
    answer = member("POST", "/urls", {"source": photo, **body})
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


def test_an_original_that_cannot_be_decoded(member):
    image = uploaded(member, sample("jpeg", 64, 64)[:600])
    answer = fetch(sign(member, image, "w20")["url"])
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unprocessable"
    assert answer.headers["Cache-Control"] == "public, max-age=60"


def test_a_crop_outside_the_image_is_refused(member, photo):
    answer = fetch(sign(member, photo, "crop:500:500:100:100")["url"])
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "operations")


def test_the_site_shows_variants_and_nothing_else(member, photo):
    url = sign(member, photo, "w93")["url"]
    site = url[: url.index("/v/")]
    fetch(url)
    assert fetch(f"{site}/", allow_redirects=False).status_code in (403, 404)
    assert fetch(f"{site}/other/key.jpg", allow_redirects=False).status_code in (403, 404)
    assert fetch(f"{site}/x/anything.jpg", allow_redirects=False).status_code in (403, 404)
