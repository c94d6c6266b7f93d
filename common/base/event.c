/*
 * The ids of the events.  Once released, an id never changes and never comes
 * to mean something else: others filter their journals by it.
 */
#include "common/base/event.h"

#include <stddef.h>

static const char *const ids[JW_EVENT_COUNT] = {
    [JW_EVENT_REFUSED_TO_START] = "81934519007e446f80ed22e8ec039a23",
    [JW_EVENT_DEGRADED] = "0d9a4a2f4ff64d6a9d2b6c2f8e1f6c53",
    [JW_EVENT_READY] = "6183055b8d004e9e9958503e316eaadd",
    [JW_EVENT_STOPPING] = "747ad21a306e4d29aeaaf3a4b084ceac",
    [JW_EVENT_RELOADED] = "36d2a79c0f6d424cb61aeeca9f10f195",
    [JW_EVENT_BAD_CONFIG] = "b4dfd5fcd7ec4e2b8deb8ea3d9e7443b",
    [JW_EVENT_STORE_FAILED] = "f0cdb83fd80c4273a7192ace95269506",
    [JW_EVENT_KEY_PAIR_FAILED] = "ad99a48f74f04870a08f24c9306618b6",
    [JW_EVENT_NOT_PUBLISHED] = "016763f725d54263901ea4c45c1bf189",
    [JW_EVENT_CLOCK_JUMPED] = "5d5726e3560b41a9a2556f51cece40fe",
    [JW_EVENT_CLOCK_TRUSTED] = "fdc848e7660a47f9aabb05d824010349",
    [JW_EVENT_OUTAGE] = "93878abd6cfd452cbb5220cd89cfa350",
    [JW_EVENT_FROZEN] = "1fe762e34f4e400f93404ddb2b72f860",
    [JW_EVENT_THAWED] = "b8599eae06de4287922cbbb6708ef6b6",
    [JW_EVENT_CREATED] = "4e521f68d41743aabc43b171e6b24d4d",
    [JW_EVENT_PUBLISHED] = "35080b441fdc49838f4c97d7202eb1b8",
    [JW_EVENT_STANDBY_READY] = "ebd9d7e6a17c4b3887bb3ba3a07b5e85",
    [JW_EVENT_ACTIVATED] = "00bf4f1333364cf5b309fb127a25ad4b",
    [JW_EVENT_RETIRED] = "55ad376099a14edcad9a9bd877360291",
    [JW_EVENT_REMOVED] = "71c28dd9cd904e428644c5bdfda23cf0",
    [JW_EVENT_REVOKED] = "eaf6c25f916d4c7ca5cd934a0e71326c",
};

const char *
jw_event_id(enum jw_event event)
{
	return event < JW_EVENT_COUNT ? ids[event] : NULL;
}
