"""The npm packages that browsers get code of, and what is made from them.

Each is one pinned archive: nothing is resolved when they are fetched, so that two runs fetch the same bytes. The list
names what the bundles reach by imports, not what the packages declare; esbuild stops at an import that is not here.
"""

from __future__ import annotations

from typing import NamedTuple


class Package(NamedTuple):
    """An archive of the npm registry.

    license: its SPDX expression, as the package declares it.
    terms: the package that carries its license's text, where it carries none itself.
    """

    name: str
    version: str
    license: str
    sha256: str
    terms: str = ""

    @property
    def archive(self) -> str:
        """The name that `npm pack` gives the file."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


SWAGGER = Package(
    "swagger-ui-dist", "5.35.0", "Apache-2.0", "1b8e891893404ea4c3558b6a87e2a3e494e7eedba41168c2ece5800a391a6ea6"
)
SWAGGER_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE")

ESBUILD = "esbuild@0.28.2"

PACKAGES = (
    Package("preact", "11.2.0", "MIT", "3c4456766bd32b6b534d52bf4e9c2a29b33e7eedf6e96ed479300ba1a7888ebf"),
    Package("@preact/signals", "2.11.4", "MIT", "66ea8221dd8aaa0da2365d49c3f116b071d56cfb63b2e16c072c6b4e08a928b7"),
    Package(
        "@preact/signals-core", "1.14.5", "MIT", "94c421ac996214c94f532fb4c43d8ede048a16df0cd9538ffb965174dbe8daba"
    ),
    Package("htm", "3.1.1", "Apache-2.0", "2425b9bee11409177bcabc7f32e319926fc6690c1701c0b257c88bdff2d5ba90"),
    Package("uplot", "1.6.32", "MIT", "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d"),
    Package("aws-amplify", "6.22.1", "Apache-2.0", "f0ca798a38db0fc54cddc1c755e744339ffff83d8251c8a5436a969792d7c96a"),
    Package(
        "@aws-amplify/auth",
        "6.21.1",
        "Apache-2.0",
        "bf9e77f865803e9f75e819bba6498a326d8e3b460018ed55f96750a5e3493b07",
        terms="aws-amplify",
    ),
    Package(
        "@aws-amplify/core",
        "6.19.2",
        "Apache-2.0",
        "d281edc5f5c4940c19b3f8e2bf0775f8e381baa5d61038b3f3034a5f326cf89e",
        terms="aws-amplify",
    ),
    Package(
        "@aws-crypto/sha256-js",
        "5.2.0",
        "Apache-2.0",
        "5750638b4fb1e159e2a6eff84532d285511db49eeef2f698d6f8484d42e4a96a",
    ),
    Package(
        "@aws-crypto/util", "5.2.0", "Apache-2.0", "42aa9abd7adb5928b922e009433f46df0613a57f18bace8dbfb43cd1d0f772d3"
    ),
    Package(
        "@smithy/util-hex-encoding",
        "2.0.0",
        "Apache-2.0",
        "9608f47d0278bd19d297a86363e5fb63d3f89de57958f167942321a10e9c9139",
    ),
    Package(
        "@smithy/util-utf8", "2.3.0", "Apache-2.0", "b137f56c3a32a49c883d0332e1c14bf413f5d7020395c650035b1f4ea2fa021a"
    ),
    Package("js-cookie", "3.0.8", "MIT", "9abdff088584fb55c013d9f4eaee2534f03b65014c0225fd7f6d2ae28955a815"),
    Package("rxjs", "7.8.2", "Apache-2.0", "2312f8ffd9726ffd7bd53ea12c5f13663d09a3dc3326f448c70b88f5ef6fac82"),
    Package("tslib", "2.9.1", "0BSD", "8092ae46b512c361b086443cc1b6ae94bfe2587b75034663e4b89d24ba40670a"),
    Package("uuid", "11.1.1", "MIT", "82739fc18cf288807d2314f6f52fe8887c6359751569a8252572f16abb151141"),
)

#: What each bundle offers, as the module that esbuild begins with.
BUNDLES = {
    "preact.js": """
        import { h } from "preact";
        import htm from "htm";
        export { h, render, Fragment, createContext } from "preact";
        export {
          useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useId, useReducer, useContext,
          useErrorBoundary,
        } from "preact/hooks";
        export {
          signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect,
        } from "@preact/signals";
        export const html = htm.bind(h);
    """,
    "uplot.js": """
        export { default } from "uplot";
    """,
    "uplot.css": """
        @import "uplot/dist/uPlot.min.css";
    """,
    "amplify.js": """
        export { Amplify } from "aws-amplify";
        export { Hub } from "aws-amplify/utils";
        export {
          signIn, confirmSignIn, signOut, signUp, confirmSignUp, resendSignUpCode, resetPassword, confirmResetPassword,
          fetchAuthSession, getCurrentUser,
        } from "aws-amplify/auth";
    """,
}
