#include "reference.h"

#include <string.h>

/* ---- text ------------------------------------------------------------------ */

/* The code point at the start, whose form must be the shortest; its size, or
 * 0. */
static size_t code_point(const uint8_t *at, size_t size, uint32_t *code)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t first;
    } forms[] = {
        {0x80, 0x00, 0x0},
        {0xe0, 0xc0, 0x80},
        {0xf0, 0xe0, 0x800},
        {0xf8, 0xf0, 0x10000},
    };

    for (size_t more = 0; more < 4; more++) {
        if ((at[0] & forms[more].mask) != forms[more].lead)
            continue;
        if (more >= size)
            return 0;
        *code = at[0] & (uint8_t)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if (at[i] < 0x80 || at[i] > 0xbf)
                return 0;
            *code = *code * 64 + (at[i] - 0x80u);
        }
        return *code >= forms[more].first ? more + 1 : 0;
    }
    return 0;
}

bool reference_text(const uint8_t *bytes, size_t size)
{
    if (size > 65535)
        return false;
    for (size_t i = 0; i < size;) {
        uint32_t code;
        size_t n = code_point(bytes + i, size - i, &code);

        if (!n || !code || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        i += n;
    }
    return true;
}

/* ---- topics ---------------------------------------------------------------- */

static bool has(const uint8_t *text, size_t size, char c)
{
    return size && memchr(text, c, size);
}

bool reference_topic_name(const uint8_t *name, size_t size)
{
    return size && reference_text(name, size) && !has(name, size, '+') &&
           !has(name, size, '#');
}

/* Where the level that begins at `from` ends. */
static size_t level_end(const uint8_t *topic, size_t size, size_t from)
{
    while (from < size && topic[from] != '/')
        from++;
    return from;
}

static bool level_valid(const uint8_t *level, size_t size, bool last)
{
    if (has(level, size, '#'))
        return size == 1 && last;
    return !has(level, size, '+') || size == 1;
}

static bool levels_valid(const uint8_t *filter, size_t size)
{
    for (size_t from = 0;;) {
        size_t end = level_end(filter, size, from);

        if (!level_valid(filter + from, end - from, end == size))
            return false;
        if (end == size)
            return true;
        from = end + 1;
    }
}

static bool shared(const uint8_t *filter, size_t size)
{
    return size >= 7 && memcmp(filter, "$share/", 7) == 0;
}

/* $share/{ShareName}/{filter} */
static bool share_valid(const uint8_t *filter, size_t size)
{
    size_t end = level_end(filter, size, 7);

    return end > 7 && !has(filter + 7, end - 7, '+') &&
           !has(filter + 7, end - 7, '#') && end + 1 < size;
}

bool reference_topic_filter(const uint8_t *filter, size_t size)
{
    return size && reference_text(filter, size) && levels_valid(filter, size) &&
           (!shared(filter, size) || share_valid(filter, size));
}

/* Level by level; f and n are where the next one begins, beyond the size if
 * there is none. */
static bool matches(const uint8_t *filter, size_t fs, size_t f,
                    const uint8_t *name, size_t ns, size_t n)
{
    size_t fe, ne;

    if (f > fs)
        return n > ns;
    fe = level_end(filter, fs, f);
    if (fe - f == 1 && filter[f] == '#')
        return true; /* what is left, the parent too */
    if (n > ns)
        return false;
    ne = level_end(name, ns, n);
    if (!(fe - f == 1 && filter[f] == '+') &&
        !(fe - f == ne - n && memcmp(filter + f, name + n, fe - f) == 0))
        return false;
    return matches(filter, fs, fe + 1, name, ns, ne + 1);
}

bool reference_matches(const uint8_t *filter, size_t filter_size,
                       const uint8_t *name, size_t name_size)
{
    size_t from = 0;

    if (shared(filter, filter_size))
        from = level_end(filter, filter_size, 7) + 1;
    if (name[0] == '$' && (filter[from] == '+' || filter[from] == '#'))
        return false;
    return matches(filter, filter_size, from, name, name_size, 0);
}

/* ---- properties ------------------------------------------------------------ */

int reference_length(const uint8_t *bytes, size_t size, uint32_t *value)
{
    uint32_t multiplier = 1;

    *value = 0;
    for (int n = 1;; n++) {
        if (n > 4)
            return -1;
        if (size < (size_t)n)
            return 0;
        *value += (bytes[n - 1] & 127) * multiplier;
        multiplier *= 128;
        if (bytes[n - 1] < 128)
            return n;
    }
}

/*
 * [5.0, table 2-4]. Types: b byte, 2 and 4 integers, v variable byte integer,
 * s string, p pair, d binary data. Places: C CONNECT, W will, K CONNACK,
 * P PUBLISH, A PUBACK to PUBCOMP, S SUBSCRIBE, U UNSUBSCRIBE, Q SUBACK and
 * UNSUBACK, D DISCONNECT, H AUTH.
 */
static const struct rule {
    uint8_t identifier;
    char type;
    const char *places;
} rules[] = {
    {0x01, 'b', "PW"},  {0x02, '4', "PW"},         {0x03, 's', "PW"},
    {0x08, 's', "PW"},  {0x09, 'd', "PW"},         {0x0b, 'v', "PS"},
    {0x11, '4', "CKD"}, {0x12, 's', "K"},          {0x13, '2', "K"},
    {0x15, 's', "CKH"}, {0x16, 'd', "CKH"},        {0x17, 'b', "C"},
    {0x18, '4', "W"},   {0x19, 'b', "C"},          {0x1a, 's', "K"},
    {0x1c, 's', "KD"},  {0x1f, 's', "KAQDH"},      {0x21, '2', "CK"},
    {0x22, '2', "CK"},  {0x23, '2', "P"},          {0x24, 'b', "K"},
    {0x25, 'b', "K"},   {0x26, 'p', "CWKPASUQDH"}, {0x27, '4', "CK"},
    {0x28, 'b', "K"},   {0x29, 'b', "K"},          {0x2a, 'b', "K"},
};

static const struct rule *rule_of(uint8_t identifier)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].identifier == identifier)
            return &rules[i];
    return NULL;
}

/* Bytes of what stands behind a length; 0: not all there. */
static size_t counted(const uint8_t *bytes, size_t size)
{
    size_t length;

    if (size < 2)
        return 0;
    length = bytes[0] * 256u + bytes[1];
    return size - 2 >= length ? 2 + length : 0;
}

static size_t value_size(char type, const uint8_t *bytes, size_t size)
{
    uint32_t number, again = 1;
    size_t first, second;
    int n;

    switch (type) {
    case 'b':
        return size >= 1 ? 1 : 0;
    case '2':
        return size >= 2 ? 2 : 0;
    case '4':
        return size >= 4 ? 4 : 0;
    case 'v':
        n = reference_length(bytes, size, &number);
        for (int i = 1; i < n; i++)
            again *= 128;
        /* The encoded value MUST use the minimum number of bytes. */
        return n <= 0 || (n > 1 && number < again) ? 0 : (size_t)n;
    case 'p':
        first = counted(bytes, size);
        second = first ? counted(bytes + first, size - first) : 0;
        return second ? first + second : 0;
    default:
        return counted(bytes, size);
    }
}

size_t reference_property(const uint8_t *bytes, size_t size)
{
    const struct rule *rule = size ? rule_of(bytes[0]) : NULL;
    size_t value;

    if (!rule)
        return 0;
    value = value_size(rule->type, bytes + 1, size - 1);
    return value ? 1 + value : 0;
}

/* Whether the value at `at`, which is whole, is allowed. */
static bool value_allowed(const struct rule *rule, const uint8_t *at,
                          size_t size)
{
    size_t first;

    switch (rule->identifier) {
    case 0x08:
        return reference_topic_name(at + 2, size - 2);
    case 0x21:
    case 0x23:
    case 0x27:
    case 0x0b: /* 0 is a Protocol Error */
        for (size_t i = 0; i < size; i++)
            if (at[i])
                return true;
        return false;
    default:
        break;
    }
    first = rule->type == 'p' ? counted(at, size) : size;
    if (rule->type == 'b')
        return at[0] <= 1;
    if (rule->type == 's')
        return reference_text(at + 2, size - 2);
    if (rule->type == 'p')
        return reference_text(at + 2, first - 2) &&
               reference_text(at + first + 2, size - first - 2);
    return true;
}

static bool may_repeat(uint8_t identifier, char place)
{
    return identifier == 0x26 || (identifier == 0x0b && place == 'P');
}

bool reference_properties(const uint8_t *bytes, size_t size, char place)
{
    unsigned met[256] = {0};

    while (size) {
        size_t n = reference_property(bytes, size);
        const struct rule *rule = rule_of(bytes[0]);

        if (!n || !strchr(rule->places, place) ||
            (met[bytes[0]]++ && !may_repeat(bytes[0], place)) ||
            !value_allowed(rule, bytes + 1, n - 1))
            return false;
        bytes += n;
        size -= n;
    }
    return !met[0x16] || met[0x15];
}

/* ---- packets --------------------------------------------------------------- */

/* A body that is looked through from its start. */
struct body {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static unsigned take(struct body *b, size_t size)
{
    unsigned number = 0;

    if (b->left < size) {
        b->bad = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        number = number << 8 | b->at[i];
    b->at += size;
    b->left -= size;
    return number;
}

static void take_properties(struct body *b, char place)
{
    uint32_t length = 0;
    size_t n = value_size('v', b->at, b->left);

    if (!n || b->bad) {
        b->bad = true;
        return;
    }
    reference_length(b->at, b->left, &length);
    b->at += n;
    b->left -= n;
    if (b->left < length || !reference_properties(b->at, length, place)) {
        b->bad = true;
        return;
    }
    b->at += length;
    b->left -= length;
}

static bool among(unsigned code, const char *codes, size_t count)
{
    return code < 256 && memchr(codes, (int)code, count);
}
#define AMONG(code, codes) among(code, codes, sizeof(codes) - 1)

static bool connack(unsigned level, struct body b)
{
    unsigned flags = take(&b, 1), code = take(&b, 1);

    if (b.bad || flags > 1 || (flags && code))
        return false;
    if (!b.left && code >= 1 && code <= 5)
        return true; /* 3.1.1, also said to a client of 5.0 */
    if (level == 4)
        return !b.left && code == 0;
    if (!AMONG(code, "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90"
                     "\x95\x97\x99\x9a\x9b\x9c\x9d\x9f"))
        return false;
    take_properties(&b, 'K');
    return !b.bad && !b.left;
}

/* Whether a Topic Alias stands among valid properties. */
static bool has_alias(const uint8_t *at, size_t size)
{
    for (size_t n; size; at += n, size -= n) {
        if (*at == 0x23)
            return true;
        n = reference_property(at, size);
    }
    return false;
}

static bool publish(unsigned level, uint8_t first, struct body b)
{
    const uint8_t *topic, *properties;
    unsigned qos = first >> 1 & 3, size;
    uint32_t length = 0;
    int n;

    size = take(&b, 2);
    topic = b.at;
    if (b.bad || b.left < size)
        return false;
    b.at += size;
    b.left -= size;
    if (qos && !take(&b, 2))
        return false;
    if (level == 4)
        return reference_topic_name(topic, size);
    properties = b.at;
    take_properties(&b, 'P');
    if (b.bad)
        return false;
    n = reference_length(properties, (size_t)(b.at - properties), &length);
    if (!size)
        return has_alias(properties + n, length);
    return reference_topic_name(topic, size);
}

/* An identifier; in 5.0 a code, unless it is left out, and properties. */
static bool acknowledgement(unsigned level, unsigned type, struct body b)
{
    unsigned identifier = take(&b, 2), code;

    if (b.bad || !identifier)
        return false;
    if (!b.left || level == 4)
        return !b.left;
    code = take(&b, 1);
    if (type >= 6 ? !AMONG(code, "\x00\x92")
                  : !AMONG(code, "\x00\x10\x80\x83\x87\x90\x91\x97\x99"))
        return false;
    if (b.left)
        take_properties(&b, 'A');
    return !b.bad && !b.left;
}

static bool code_allowed(unsigned level, unsigned type, unsigned code)
{
    if (level == 4)
        return AMONG(code, "\x00\x01\x02\x80");
    if (type == 11)
        return AMONG(code, "\x00\x11\x80\x83\x87\x8f\x91");
    return AMONG(code, "\x00\x01\x02\x80\x83\x87\x8f\x91\x97\x9e\xa1\xa2");
}

/* SUBACK; in 5.0 UNSUBACK too. */
static bool answers(unsigned level, unsigned type, struct body b)
{
    if (!take(&b, 2) || b.bad)
        return false;
    if (level == 5)
        take_properties(&b, 'Q');
    while (!b.bad && b.left)
        if (!code_allowed(level, type, take(&b, 1)))
            return false;
    return !b.bad;
}

static bool disconnect(struct body b)
{
    unsigned code = b.left ? take(&b, 1) : 0;
    const uint8_t *properties = b.at;
    uint32_t length = 0;
    int n;

    if (!AMONG(code, "\x00\x80\x81\x82\x83\x87\x89\x8b\x8c\x8d\x8e\x8f\x90\x93"
                     "\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1"
                     "\xa2"))
        return false;
    if (!b.left)
        return true;
    take_properties(&b, 'D');
    if (b.bad || b.left)
        return false;
    n = reference_length(properties, (size_t)(b.at - properties), &length);
    for (properties += n; properties < b.at;
         properties +=
         reference_property(properties, (size_t)(b.at - properties)))
        if (*properties == 0x11) /* not to be sent by a server */
            return false;
    return true;
}

static bool auth(struct body b)
{
    unsigned code = b.left ? take(&b, 1) : 0;
    const uint8_t *properties = b.at;

    if (!AMONG(code, "\x00\x18"))
        return false;
    take_properties(&b, 'H');
    if (b.bad || b.left)
        return false;
    properties += value_size('v', properties, (size_t)(b.at - properties));
    for (; properties < b.at; properties += reference_property(
                                  properties, (size_t)(b.at - properties)))
        if (*properties == 0x15)
            return true; /* without a method it is a Protocol Error */
    return false;
}

bool reference_packet(unsigned level, uint8_t first, const uint8_t *body,
                      size_t size)
{
    struct body b = {body, size, false};
    unsigned type = first >> 4;

    switch (type) {
    case 2:
        return connack(level, b);
    case 3:
        return publish(level, first, b);
    case 4:
    case 5:
    case 6:
    case 7:
        return acknowledgement(level, type, b);
    case 9:
        return answers(level, type, b);
    case 11:
        return level == 4 ? acknowledgement(level, type, b)
                          : answers(level, type, b);
    case 14:
        return level == 5 && disconnect(b);
    case 15:
        return level == 5 && auth(b);
    default:
        return false;
    }
}
