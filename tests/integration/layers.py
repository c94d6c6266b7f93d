"""Which folder holds what: its prefix, and the folders that it may include.

One row a folder, from the bottom up.  Every name that a folder shares with
others begins with its prefix; the README draws the same picture.
"""
import collections

Folder = collections.namedtuple("Folder", "prefix may_include")

FOLDERS = {name: Folder(prefix, set(may.split())) for name, prefix, may in (
    ("common/base", "jw_", ""),
    ("common/config", "jw_", "common/base"),
    ("common/wire", "varlink_", "common/base"),
    ("common/system", "sys_", "common/base common/config"),
    ("common/serve", "serve_", "common/base common/wire"),
    ("daemon/lifecycle", "lc_", "common/base common/config"),
    ("daemon/crypto", "crypto_", "common/base common/config"),
    ("daemon/store", "store_", "common/base daemon/lifecycle"),
    ("daemon/document", "document_",
     "common/base common/config daemon/lifecycle"),
    ("daemon/settings", "settings_",
     "common/base common/config daemon/crypto"),
    ("daemon/keeper", "keeper_",
     "common/base common/config daemon/lifecycle daemon/crypto daemon/store "
     "daemon/document"),
    ("daemon/publish", "publish_",
     "common/base common/wire common/serve daemon/lifecycle daemon/crypto "
     "daemon/document daemon/keeper"),
    ("daemon/verbs", "verbs_",
     "common/base common/config common/wire common/system common/serve "
     "daemon/lifecycle daemon/crypto daemon/document daemon/settings "
     "daemon/keeper daemon/publish"),
    ("daemon", "daemon_",
     "common/base common/config common/wire common/system common/serve "
     "daemon/crypto daemon/settings daemon/keeper daemon/publish "
     "daemon/verbs"),
    ("daemon/http", "http_",
     "common/base common/config common/wire common/system"),
    ("ctl/reply", "reply_", "common/base"),
    ("ctl/out", "out_", "common/base ctl/reply"),
    ("ctl/call", "call_",
     "common/base common/config common/wire ctl/reply ctl/out"),
    ("ctl/commands", "cmd_",
     "common/base common/config common/wire ctl/reply ctl/out ctl/call"),
    ("ctl", "ctl_", "common/base common/config ctl/call ctl/commands"),
)}

# Folders that may include a library, by the names of its headers.
LIBRARIES = {
    r"sqlite3\.h": "daemon/store",
    r"openssl/": "daemon/crypto",
    r"systemd/": "common/system",
    r"libsmartcols": "ctl/out",
    r"event2/http\w*\.h|evhttp\.h": "daemon/http",
    r"event2/|event\.h": "common/serve daemon/crypto daemon/keeper "
                         "daemon/publish daemon/verbs daemon daemon/http",
    r"jansson\.h": "common/wire common/serve daemon/crypto daemon/document "
                   "daemon/settings daemon/publish daemon/verbs daemon "
                   "daemon/http ctl/reply ctl/out ctl/call ctl/commands ctl",
}

# In these folders only some files may include a library that the folder may.
LIBRARY_FILES = {
    ("daemon/verbs", r"jansson\.h"): "rows_json.c claims.c",
}
