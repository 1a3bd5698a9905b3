// A screen pop: when an agent gets a call, tells which page of the CRM to show.
//
// It listens to `phoneNumber` and publishes an event of its own, `screenPop`, that every client of
// the agent sees: {"event":"screenPop","agent":"201","number":"+49…","link":"https://…", …}.

#include "simple_subscriber_plugin.h"

#include <stdio.h>
#include <string.h>

typedef simple_subscriber_plugin_string_t text;
typedef simple_subscriber_plugin_list_u8_t bytes;

#define LONGEST 512

// [settings] link: the page for a number, which takes the place of {number}.
static char page[LONGEST];

static text borrow(const char *words) {
    return (text){.ptr = (uint8_t *)words, .len = strlen(words)};
}

// A copy that the host frees.
static void answer(text *to, const char *words) { simple_subscriber_plugin_string_dup(to, words); }

// Finds a text by its key in a flat JSON object, as the host writes it: without blanks. Answers
// whether it is there; one with escapes, or that is too long, is not taken.
static bool find_text(const bytes *json, const char *key, char *to) {
    char start[64];
    size_t length = (size_t)snprintf(start, sizeof start, "\"%s\":\"", key);
    for (size_t at = 0; at + length <= json->len; at++) {
        if (memcmp(json->ptr + at, start, length) != 0) continue;
        size_t from = at + length, end = from;
        while (end < json->len && json->ptr[end] != '"') {
            if (json->ptr[end] == '\\') return false;
            end++;
        }
        if (end == json->len || end - from >= LONGEST) return false;
        memcpy(to, json->ptr + from, end - from);
        to[end - from] = 0;
        return true;
    }
    return false;
}

// The first call. With an error the plugin does not run, and the operator sees it.
bool exports_telepulse_plugin_lifecycle_init(exports_telepulse_plugin_lifecycle_start_info_t *info,
                                             text *error) {
    text key = borrow("link"), setting;
    if (!telepulse_plugin_config_get(&key, &setting)) {
        answer(error, "set link under [settings] in the plugin's toml");
        return false;
    }
    // The setting is JSON: a text in quotes.
    bool fits = setting.len >= 2 && setting.len - 2 < LONGEST && setting.ptr[0] == '"';
    if (fits) {
        memcpy(page, setting.ptr + 1, setting.len - 2);
        page[setting.len - 2] = 0;
    } else {
        answer(error, "link must be a text of at most 500 bytes");
    }
    simple_subscriber_plugin_string_free(&setting);
    exports_telepulse_plugin_lifecycle_start_info_free(info);
    return fits;
}

void exports_telepulse_plugin_lifecycle_drain(uint64_t deadline_ms) { (void)deadline_ms; }

static void pop(const bytes *call) {
    char server[LONGEST], agent[LONGEST], number[LONGEST], digits[LONGEST];
    char link[2 * LONGEST], event[5 * LONGEST];
    // Absent or null when the agent has no call any more.
    if (!find_text(call, "number", number)) return;
    if (!find_text(call, "server", server) || !find_text(call, "agent", agent)) return;
    // Anything but digits could change what the link means.
    size_t count = 0;
    for (const char *at = number; *at; at++)
        if (*at >= '0' && *at <= '9') digits[count++] = *at;
    digits[count] = 0;
    const char *place = strstr(page, "{number}");
    if (place)
        snprintf(link, sizeof link, "%.*s%s%s", (int)(place - page), page, digits, place + 8);
    else
        snprintf(link, sizeof link, "%s", page);
    int length = snprintf(event, sizeof event,
                          "{\"server\":\"%s\",\"agent\":\"%s\",\"number\":\"%s\",\"link\":\"%s\"}",
                          server, agent, number, link);
    text address = borrow("telepulse.event.screenPop"), error;
    bytes payload = {.ptr = (uint8_t *)event, .len = (size_t)length};
    if (!telepulse_plugin_bus_publish(&address, &payload, &error)) {
        telepulse_plugin_log_list_pair_t none = {0};
        telepulse_plugin_log_write(TELEPULSE_PLUGIN_LOG_LEVEL_WARN, &error, &none);
        simple_subscriber_plugin_string_free(&error);
    }
}

// Answers how many events were done; an error says how many before, and what about this one.
bool exports_telepulse_plugin_subscriber_handle(
    exports_telepulse_plugin_subscriber_list_event_t *batch, uint32_t *done,
    exports_telepulse_plugin_subscriber_tuple2_u32_failure_t *failure) {
    (void)failure;
    for (size_t at = 0; at < batch->len; at++) pop(&batch->ptr[at].payload);
    *done = (uint32_t)batch->len;
    exports_telepulse_plugin_subscriber_list_event_free(batch);
    return true;
}
