/* SPDX-License-Identifier: MIT
 * Superblocks, object headers, links and groups of HDF5 files that lie: what libhdf5 never writes
 * must be refused, by what the message names. */
#include "support/hdf5_bytes.h"

#include <stdbool.h>

static an_status look(ani_hdf5 *file, const char *path) {
    ani_hdf5_kind kind;
    return ani_hdf5_look(file, path, &kind, &err);
}

/* --- objects and links ------------------------------------------------------------------------ */

#define DAMAGED(what) "'f': damaged HDF5 file: no valid " what " at byte %lld"

static void headers_that_lie(void **state) {
    (void)state;
    /* no room for a header; another version; more bytes than there are */
    begin_file();
    ani_hdf5 *file = end_file(0);
    const int64_t near_end = out.size - 10;
    ani_hdf5_message message;
    bool found;
    refuse(ani_hdf5_find_message(file, near_end, 1, &message, &found, &err), AN_ERR_FORMAT,
           DAMAGED("object header"), (long long)near_end);
    refuse(ani_hdf5_links(file, near_end, NULL, NULL, &err), AN_ERR_FORMAT,
           DAMAGED("object header"), (long long)near_end);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    ani_names names = {0};
    refuse(ani_hdf5_texts(file, "a", "t", &names, &found, &err), AN_ERR_FORMAT,
           DAMAGED("object header"), 0LL);
    refuse(look(file, "a/b"), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    refuse(ani_hdf5_list(file, "a", &names, &err), AN_ERR_FORMAT, DAMAGED("object header"), 0LL);
    refuse(ani_hdf5_list(file, "b", &names, &err), AN_ERR_FORMAT, "'f': there is no group 'b'");
    ani_hdf5_close(file);
    for (int lie = 0; lie < 2; lie++) {
        begin_file();
        const int64_t object = begin_object();
        end_object();
        patch(lie ? object : object + 8, lie ? 2 : 1 << 20, 1 + 3 * !lie);
        file = end_file(object);
        refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)object);
        ani_hdf5_close(file);
    }
    /* a message that is longer than its header; one behind which a gap is left */
    for (int lie = 0; lie < 2; lie++) {
        begin_file();
        const int64_t object = begin_object();
        put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\0"));
        if (lie)
            put(0, 7);
        else
            patch(message_at + 2, 3, 2);
        const int64_t place = message_at;
        end_object();
        file = end_file(object);
        if (lie)
            assert_int_equal(look(file, "a"), AN_OK);
        else
            refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("message"), (long long)place);
        ani_hdf5_close(file);
    }
}

/* New headers: with times and counts, of each width of the size, with creation order. */
static void new_headers(void **state) {
    (void)state;
    for (int flags = 0; flags < 64; flags++) {
        if (flags & 8) continue;
        begin_file();
        version = 2;
        const int64_t object = out.size, width = 1 << (flags & 3);
        const int64_t size = 2 + (flags & 4 ? 6 : 4);
        put_text("OHDR");
        put(2, 1);
        put((uint64_t)flags, 1);
        put(0, (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
        put((uint64_t)size, (int)width);
        put(ANI_HDF5_LINK_INFO, 1);
        put(2, 2);
        put(0, flags & 4 ? 3 : 1);
        put(0, 2);
        put(lookup3(out.data + object, out.size - object), 4);
        ani_hdf5 *file = end_file(object);
        ani_hdf5_kind kind;
        if (ani_hdf5_look(file, "a", &kind, &err)) fail_msg("flags %d: %s", flags, err.message);
        assert_int_equal(kind, ANI_HDF5_GROUP);
        ani_hdf5_close(file);
    }
}

static void new_headers_that_lie(void **state) {
    (void)state;
    static const struct {
        int version, flags;
        uint64_t size;
        int flip; /* of the checksum */
    } lies[] = {{3, 2, 0, 0}, {2, 3, UINT64_MAX, 0}, {2, 2, 4000, 0}, {2, 2, 0, 1}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        version = 2;
        const int64_t object = out.size;
        put_text("OHDR");
        put((uint64_t)lies[i].version, 1);
        put((uint64_t)lies[i].flags, 1);
        put(lies[i].size, 1 << lies[i].flags);
        put(lookup3(out.data + object, out.size - object) ^ (uint32_t)lies[i].flip, 4);
        ani_hdf5 *file = end_file(object);
        refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)object);
        ani_hdf5_close(file);
    }
    /* its size is behind the end of the file */
    begin_file();
    const int64_t root = begin_object(), last = root + 36;
    put_link("a", last);
    end_object();
    assert_int_equal(out.size, last);
    put_text("OHDR\2\x33");
    put(0, 10);
    ani_hdf5 *file = end_file_with(root);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("object header"), (long long)last);
    ani_hdf5_close(file);
}

/** A continuation that leads to a block with one message. */
static void continuations(void **state) {
    (void)state;
    enum { HONEST, SHORT, OUTSIDE, NO_MAGIC, BAD_SUM, TINY, LIES };
    for (int v = 1; v <= 2; v++)
        for (int lie = HONEST; lie < LIES; lie++) {
            if (v == 1 && lie > OUTSIDE) continue;
            begin_file();
            version = v;
            const int64_t block = out.size;
            if (v == 2) put_text(lie == NO_MAGIC ? "OCHX" : "OCHK");
            put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\0"));
            if (v == 2)
                put(lookup3(out.data + block, out.size - block) ^ (uint32_t)(lie == BAD_SUM), 4);
            const int64_t size = out.size - block, object = begin_object();
            begin_message(ANI_HDF5_CONTINUATION, 0);
            const int64_t message = message_at;
            put((uint64_t)(block + (lie == OUTSIDE ? 1 << 20 : 0)), 8);
            put((uint64_t)(lie == TINY ? 7 : size), lie == SHORT ? 7 : 8);
            end_message();
            end_object();
            ani_hdf5 *file = end_file(object);
            ani_hdf5_kind kind;
            const an_status st = ani_hdf5_look(file, "a", &kind, &err);
            if (lie == HONEST)
                assert_true(st == AN_OK && kind == ANI_HDF5_GROUP);
            else if (lie == SHORT)
                refuse(st, AN_ERR_FORMAT, DAMAGED("continuation"), (long long)message);
            else
                refuse(st, AN_ERR_FORMAT, DAMAGED("part of an object header"),
                       (long long)block + (lie == OUTSIDE ? 1 << 20 : 0));
            ani_hdf5_close(file);
        }
    /* a ring of continuations: each leads back to itself */
    begin_file();
    const int64_t object = begin_object();
    begin_message(ANI_HDF5_CONTINUATION, 0);
    put((uint64_t)message_at, 8);
    put(24, 8);
    end_message();
    end_object();
    const int64_t message = message_at;
    ani_hdf5 *file = end_file(object);
    refuse(look(file, "a"), AN_ERR_FORMAT, DAMAGED("continuation"), (long long)message);
    ani_hdf5_close(file);
}

static void links(void **state) {
    (void)state;
    static const raw lies[] = {
        SHARED("\1\0\1b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\1"),
        RAW("\2\0\1b\x60\0\0\0\0\0\0\0"),
        RAW("\1\3\1b\x60\0\0\0\0"),
        RAW("\1\x14\0\0"),
        RAW("\1\0\0b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\x0b"
            "b\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\2b\0\x60\0\0\0\0\0\0\0"),
        RAW("\1\0\1b\x60\0\0\0\0\0\0"),
        RAW("\1\0\1b\0\0\0\0\0\0\0\1"),
    };
    ani_names names = {0};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        const int64_t root = begin_object();
        put_message(ANI_HDF5_LINK, lies[i]);
        const int64_t place = message_at + 8;
        end_object();
        ani_hdf5 *file = end_file_with(root);
        const an_status st = ani_hdf5_list(file, "", &names, &err);
        if (!st) fail_msg("case %zu is read", i);
        refuse(st, AN_ERR_FORMAT, DAMAGED("link"), (long long)place);
        ani_hdf5_close(file);
    }
    /* all optional fields; a name that is no UTF-8; what says that links lie in no heap */
    static const raw truths[] = {RAW("\1\x1d\0"
                                     "01234567"
                                     "\0"
                                     "\1\0"
                                     "b\x60\0\0\0\0\0\0\0"),
                                 RAW("\1\0\1\xff\x60\0\0\0\0\0\0\0")};
    static const raw informations[] = {RAW("\0"),
                                       RAW("\0\1"
                                           "01234567"
                                           "\0\0\0"),
                                       RAW("\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
                                       RAW("\0\1"
                                           "01234567"
                                           "\xff\xff\xff\xff\xff\xff\xff\xff")};
    for (size_t i = 0; i < 4; i++) {
        begin_file();
        const int64_t root = begin_object();
        put_message(ANI_HDF5_LINK, truths[i % 2]);
        put_message(ANI_HDF5_LINK_INFO, informations[i]);
        end_object();
        ani_hdf5 *file = end_file_with(root);
        const an_status st = ani_hdf5_list(file, "", &names, &err);
        if (i % 2) {
            refuse(st, AN_ERR_FORMAT, "'f': the name of a member is not UTF-8");
        } else {
            assert_int_equal(st, AN_OK);
            assert_string_equal(names.items[0], "b");
        }
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
    begin_file();
    const int64_t root = begin_object();
    put_message(ANI_HDF5_LINK_INFO, (raw)RAW("\0\1"
                                             "01234567"
                                             "\1\0\0\0\0\0\0\0"));
    end_object();
    ani_hdf5 *file = end_file_with(root);
    refuse(
        ani_hdf5_list(file, "", &names, &err), AN_ERR_UNSUPPORTED,
        "'f' stores the members of a group in a fractal heap; save it with h5py's default libver");
    ani_hdf5_close(file);
}

static void groups_of_too_many_members(void **state) {
    (void)state;
    enum { MOST = 100000 };
    begin_file();
    const int64_t root = begin_object();
    for (int i = 0; i <= MOST; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        put_link(name, DATA);
    }
    end_object();
    ani_hdf5 *file = end_file_with(root);
    ani_names names = {0};
    refuse(ani_hdf5_list(file, "", &names, &err), AN_ERR_UNSUPPORTED,
           "'f': a group has over 100000 members");
    assert_int_equal(names.count, MOST);
    ani_names_clear(&names);
    ani_hdf5_close(file);
}

/* --- symbol tables ---------------------------------------------------------------------------- */

/** A group of old style with one member, "b"; numbers are added to the truth. */
typedef struct table_lie {
    const char *heap_magic, *tree_magic, *table_magic;
    int64_t heap_size, heap_data, type, level, tree_count, child, count, name, object, message;
    int64_t heap, tree; /* addresses */
    int below;          /* level of a second node of the tree beneath the first, 0: none */
    bool soft, no_end;
} table_lie;

/* Returns the places of heap, tree, table and group. */
static ani_hdf5 *table_file(const table_lie *lie, int64_t places[4]) {
    begin_file();
    places[0] = out.size;
    put_text(lie->heap_magic ? lie->heap_magic : "HEAP");
    put(0, 4);
    put((uint64_t)(16 + lie->heap_size), 8);
    put(0, 8);
    put((uint64_t)(places[0] + 32 + lie->heap_data), 8);
    bytes_add(&out, lie->no_end ? "\0\0\0\0\0\0\0\0bbbbbbbb" : "\0\0\0\0\0\0\0\0b\0\0\0\0\0\0\0",
              16);
    places[2] = out.size;
    put_text(lie->table_magic ? lie->table_magic : "SNOD");
    put(1, 2);
    put((uint64_t)(1 + lie->count), 2);
    put((uint64_t)(8 + lie->name), 8);
    put((uint64_t)(DATA + lie->object), 8);
    put(lie->soft ? 2 : 0, 8);
    put(0, 16);
    for (int node = lie->below ? 1 : 0; node >= 0; node--) {
        const bool top = lie->below && node == 0;
        const int64_t child = top ? places[1] : places[2];
        places[1] = out.size;
        put_text(lie->tree_magic ? lie->tree_magic : "TREE");
        put((uint64_t)lie->type, 1);
        put((uint64_t)(lie->level + (lie->below ? (top ? 1 : lie->below - 1) : 0)), 1);
        put((uint64_t)(1 + lie->tree_count), 2);
        put(UINT64_MAX, 8);
        put(UINT64_MAX, 8);
        put(0, 8);
        put((uint64_t)(child + lie->child), 8);
        put(8, 8);
    }
    places[3] = begin_object();
    begin_message(ANI_HDF5_SYMBOL_TABLE, 0);
    put((uint64_t)(places[1] + lie->tree), 8);
    put((uint64_t)(places[0] + lie->heap), (int)(8 + lie->message));
    end_message();
    end_object();
    return end_file(places[3]);
}

static void symbol_tables(void **state) {
    (void)state;
    enum { HEAP, TREE, TABLE, GROUP };
    enum { FAR = 1 << 20 };
    static const struct {
        table_lie lie;
        const char *message;
        int place;
        int64_t further;
    } lies[] = {
        {{.message = -1}, DAMAGED("group"), GROUP, 0},
        {{.heap = FAR}, DAMAGED("heap of names"), HEAP, FAR},
        {{.heap_magic = "HEAR"}, DAMAGED("heap of names"), HEAP, 0},
        {{.heap_size = FAR}, DAMAGED("heap of names"), HEAP, 0},
        {{.heap_data = FAR}, DAMAGED("heap of names"), HEAP, 0},
        {{.tree = FAR}, DAMAGED("tree of a group"), TREE, FAR},
        {{.tree_magic = "TREF"}, DAMAGED("tree of a group"), TREE, 0},
        {{.type = 1}, DAMAGED("tree of a group"), TREE, 0},
        {{.level = 8}, DAMAGED("tree of a group"), TREE, 0},
        {{.below = 3}, DAMAGED("tree of a group"), TREE, -48},
        {{.tree_count = 999}, DAMAGED("tree of a group"), TREE, 0},
        {{.child = FAR}, DAMAGED("symbol table"), TABLE, FAR},
        {{.table_magic = "SNOW"}, DAMAGED("symbol table"), TABLE, 0},
        {{.count = 999}, DAMAGED("symbol table"), TABLE, 0},
        {{.name = FAR}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.name = -1}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.no_end = true}, DAMAGED("name in a symbol table"), TABLE, 0},
        {{.object = FAR}, DAMAGED("object"), -1, DATA + FAR},
    };
    int64_t places[4];
    ani_names names = {0};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ani_hdf5 *file = table_file(&lies[i].lie, places);
        const an_status st = ani_hdf5_list(file, "a", &names, &err);
        char message[256];
        const int64_t place = lies[i].further + (lies[i].place < 0 ? 0 : places[lies[i].place]);
        if (!st) fail_msg("case %zu is read", i);
        snprintf(message, sizeof message, "%s", lies[i].message);
        *strstr(message, "%lld") = '\0';
        refuse(st, AN_ERR_FORMAT, "%s%lld", message, (long long)place);
        ani_hdf5_close(file);
    }
    static const table_lie truths[] = {{0}, {.below = 1}, {.soft = true, .object = FAR}};
    for (size_t i = 0; i < 3; i++) {
        ani_hdf5 *file = table_file(&truths[i], places);
        if (ani_hdf5_list(file, "a", &names, &err)) fail_msg("%s", err.message);
        assert_int_equal(names.count, 1);
        assert_string_equal(names.items[0], "b");
        ani_names_clear(&names);
        ani_hdf5_close(file);
    }
}

/* --- superblocks ------------------------------------------------------------------------------ */

static void superblocks(void **state) {
    (void)state;
    static const struct {
        int64_t place;
        uint64_t value;
        int size;
        an_status status;
        const char *message;
    } lies[] = {
        {0, 0, 1, AN_ERR_FORMAT, "'f' is not an HDF5 file"},
        {8, 4, 1, AN_ERR_UNSUPPORTED, "'f' uses HDF5 version 4; 0 to 3 are supported"},
        {13, 4, 1, AN_ERR_UNSUPPORTED,
         "'f' has addresses of 4 and lengths of 8 bytes; only 8 are supported"},
        {14, 2, 1, AN_ERR_UNSUPPORTED,
         "'f' has addresses of 8 and lengths of 2 bytes; only 8 are supported"},
        {24, 512, 8, AN_ERR_UNSUPPORTED, "'f' has bytes of something else before it"},
        {END_FIELD, 1000, 8, AN_ERR_FORMAT, "'f' is truncated: it has 196 bytes, but says 1000"},
        {ROOT_FIELD, 1000, 8, AN_ERR_FORMAT,
         "'f': damaged HDF5 file: no valid root group at byte 1000"},
    };
    ani_hdf5 *file;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        begin_file();
        ani_hdf5_close(end_file(DATA));
        patch(lies[i].place, lies[i].value, lies[i].size);
        refuse(ani_hdf5_open(&file, out.data, out.size, "f", &err), lies[i].status, "%s",
               lies[i].message);
        assert_null(file);
    }
    refuse(ani_hdf5_open(&file, out.data, 95, "f", &err), AN_ERR_FORMAT, DAMAGED("superblock"),
           0LL);
    refuse(ani_hdf5_open(&file, out.data, 15, "f", &err), AN_ERR_FORMAT, "'f' is not an HDF5 file");
    /* of new style, with a checksum */
    for (int lie = 0; lie < 3; lie++) {
        free(out.data);
        out = (struct bytes){0};
        version = 1;
        bytes_add(&out, "\x89HDF\r\n\x1a\n\2\x08\x08\0", 12);
        put(0, 8);
        put(UINT64_MAX, 8);
        put(48 + 16, 8);
        put(48, 8);
        put(lookup3(out.data, 44) ^ (uint32_t)(lie == 1), 4);
        begin_object();
        end_object();
        const an_status st = ani_hdf5_open(&file, out.data, lie == 2 ? 47 : out.size, "f", &err);
        if (lie)
            refuse(st, AN_ERR_FORMAT, DAMAGED("superblock"), 0LL);
        else
            assert_int_equal(st, AN_OK);
        ani_hdf5_close(file);
    }
}

/* --- work ------------------------------------------------------------------------------------- */

static an_status call_list(ani_hdf5 *file) {
    ani_names names = {0};
    const an_status st = ani_hdf5_list(file, "a", &names, &err);
    ani_names_clear(&names);
    return st;
}

static an_status call_look(ani_hdf5 *file) {
    return look(file, "a/none");
}

static void work_is_bounded_everywhere(void **state) {
    (void)state;
    int64_t ignored[4];
    expect_entangled(table_file(&(table_lie){.below = 1}, ignored), call_list);
    expect_entangled(table_file(&(table_lie){0}, ignored), call_look);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(new_headers),
        cmocka_unit_test(new_headers_that_lie),
        cmocka_unit_test(continuations),
        cmocka_unit_test(links),
        cmocka_unit_test(groups_of_too_many_members),
        cmocka_unit_test(symbol_tables),
        cmocka_unit_test(superblocks),
        cmocka_unit_test(work_is_bounded_everywhere),
    };
    return cmocka_run_group_tests_name("hdf5_objects", tests, NULL, free_bytes);
}
