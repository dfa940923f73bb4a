/*
 * elf-hardening (C, plain mode): how programs and libraries were built, as
 * facts of the kind "elf-hardening" for every ELF file of an image:
 *
 *   type     executable, pie, library or static-pie
 *   relro    none, partial or full        the table of addresses is read-only
 *   nx       yes, no or unsaid            the stack is not executable
 *   canary   yes, no or unknown           checks of the stack (needs symbols)
 *   fortify  how many fortified functions it calls, or unknown
 *   rpath, runpath                        where it looks for libraries, if set
 *
 * The gate elf-gate judges them. Every offset of the file is checked before it
 * is followed, because the file may be anybody's.
 *
 * Build:   make -C elf-hardening
 * Install: cp -r elf-hardening ~/.config/tidewaiter/plugins/
 * Try:     tidewaiter plugin test elf-hardening IMAGE
 */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "name elf-hardening\n"
    "version 1\n"
    "kind analyzer\n"
    "help How programs and libraries were built: PIE, RELRO, NX, canary, fortify, RPATH\n"
    "type elf\n"
    "type elf-library\n"
    "max-size 256 MB\n"
    "fact elf-hardening\n";

/* A file in memory, and how its numbers are written. */
struct elf {
    const unsigned char *at;
    size_t size;
    int wide, big;
};

/* num reads n bytes at an offset; what lies outside of the file is 0. */
static uint64_t num(const struct elf *e, uint64_t off, int n)
{
    uint64_t v = 0;
    if (off > e->size || e->size - off < (uint64_t)n)
        return 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)e->at[off + i] << 8 * (e->big ? n - 1 - i : i);
    return v;
}

/* The members that are needed, of the 64 bit and the 32 bit structure. */
#define GET(e, off, S, m) \
    ((e)->wide ? num(e, (off) + offsetof(Elf64_##S, m), sizeof(((Elf64_##S *)0)->m)) \
               : num(e, (off) + offsetof(Elf32_##S, m), sizeof(((Elf32_##S *)0)->m)))
#define SIZE(e, S) ((e)->wide ? sizeof(Elf64_##S) : sizeof(Elf32_##S))

/* text returns the string at an offset, NULL where none ends in the file. */
static const char *text(const struct elf *e, uint64_t off)
{
    if (off >= e->size || !memchr(e->at + off, 0, e->size - off < 8192 ? e->size - off : 8192))
        return NULL;
    return (const char *)e->at + off;
}

/* offset finds where an address of memory lies in the file. */
static uint64_t offset(const struct elf *e, uint64_t phoff, int phnum, uint64_t addr)
{
    for (int i = 0; i < phnum; i++) {
        uint64_t p = phoff + i * SIZE(e, Phdr);
        uint64_t start = GET(e, p, Phdr, p_vaddr);
        if (GET(e, p, Phdr, p_type) == PT_LOAD && addr >= start && addr - start < GET(e, p, Phdr, p_filesz))
            return GET(e, p, Phdr, p_offset) + (addr - start);
    }
    return UINT64_MAX;
}

/* symbols counts what the program calls: 1 when there is a table of symbols. */
static int symbols(const struct elf *e, int *canary, int *fortified)
{
    uint64_t shoff = GET(e, 0, Ehdr, e_shoff);
    int shnum = GET(e, 0, Ehdr, e_shnum), known = 0;
    for (int i = 0; shoff && i < shnum; i++) {
        uint64_t s = shoff + i * SIZE(e, Shdr), type = GET(e, s, Shdr, sh_type);
        if (type != SHT_DYNSYM && type != SHT_SYMTAB)
            continue;
        uint64_t off = GET(e, s, Shdr, sh_offset), size = GET(e, s, Shdr, sh_size);
        uint64_t link = shoff + GET(e, s, Shdr, sh_link) * SIZE(e, Shdr);
        uint64_t names = GET(e, link, Shdr, sh_offset);
        if (off > e->size || size > e->size - off)
            continue;
        /* A program that loads libraries names what it calls in the dynamic
           table; in the other one a static program has everything. */
        known |= type == SHT_SYMTAB || size > SIZE(e, Sym);
        for (uint64_t y = off; y + SIZE(e, Sym) <= off + size; y += SIZE(e, Sym)) {
            const char *name = text(e, names + GET(e, y, Sym, st_name));
            if (!name || strncmp(name, "__", 2))
                continue;
            size_t n = strcspn(name, "@");
            if (!strncmp(name, "__stack_chk_", 12))
                *canary = 1;
            else if (type == SHT_DYNSYM && GET(e, y, Sym, st_shndx) == SHN_UNDEF && n > 4 && !strncmp(name + n - 4, "_chk", 4))
                ++*fortified;
        }
    }
    return known;
}

/* field prints a value that may hold anything. */
static void field(const char *name, const char *value)
{
    printf("\t%s=", name);
    for (int n = 0; *value && n < 1000; value++, n++)
        putchar((unsigned char)*value < ' ' ? ' ' : *value);
}

static void look(const char *path, const struct elf *e)
{
    uint64_t phoff = GET(e, 0, Ehdr, e_phoff), dynamic = 0, dynsize = 0;
    int type = GET(e, 0, Ehdr, e_type), phnum = GET(e, 0, Ehdr, e_phnum);
    int interp = 0, relro = 0, now = 0, pie = 0, soname = 0, canary = 0, fortified = 0;
    const char *nx = "unsaid";
    uint64_t strings = UINT64_MAX, rpath = 0, runpath = 0;

    if (GET(e, 0, Ehdr, e_phentsize) != SIZE(e, Phdr) || phoff > e->size || (e->size - phoff) / SIZE(e, Phdr) < (uint64_t)phnum) {
        printf("problem\t%s\tits program headers are not within the file\n", path);
        return;
    }
    for (int i = 0; i < phnum; i++) {
        uint64_t p = phoff + i * SIZE(e, Phdr);
        switch (GET(e, p, Phdr, p_type)) {
        case PT_INTERP: interp = 1; break;
        case PT_GNU_RELRO: relro = 1; break;
        case PT_GNU_STACK: nx = GET(e, p, Phdr, p_flags) & PF_X ? "no" : "yes"; break;
        case PT_DYNAMIC: dynamic = GET(e, p, Phdr, p_offset), dynsize = GET(e, p, Phdr, p_filesz); break;
        }
    }
    for (uint64_t d = dynamic; dynamic && d - dynamic < dynsize && d < e->size; d += SIZE(e, Dyn)) {
        uint64_t v = GET(e, d, Dyn, d_un.d_val), tag = GET(e, d, Dyn, d_tag);
        if (tag == DT_NULL)
            break;
        switch (tag) {
        case DT_STRTAB: strings = offset(e, phoff, phnum, v); break;
        case DT_RPATH: rpath = v; break;
        case DT_RUNPATH: runpath = v; break;
        case DT_SONAME: soname = 1; break;
        case DT_BIND_NOW: now = 1; break;
        case DT_FLAGS: now |= !!(v & DF_BIND_NOW); break;
        case DT_FLAGS_1: now |= !!(v & DF_1_NOW), pie |= !!(v & DF_1_PIE); break;
        }
    }
    const char *kind = type == ET_EXEC ? "executable" : type != ET_DYN ? NULL
        : pie || (interp && !soname) ? (interp ? "pie" : "static-pie") : "library";
    if (!kind)
        return; /* an object, a core */
    int known = symbols(e, &canary, &fortified);
    printf("fact\telf-hardening\t%s\ttype=%s\trelro=%s\tnx=%s\tcanary=%s", path, kind, !relro ? "none" : now ? "full" : "partial", nx,
           canary ? "yes" : known ? "no" : "unknown");
    if (known)
        printf("\tfortify=%d", fortified);
    else
        printf("\tfortify=unknown");
    const char *s;
    if (rpath && strings != UINT64_MAX && (s = text(e, strings + rpath)))
        field("rpath", s);
    if (runpath && strings != UINT64_MAX && (s = text(e, strings + runpath)))
        field("runpath", s);
    putchar('\n');
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "help"))
        return fputs(help, stdout) < 0;
    if (argc < 2 || strcmp(argv[1], "analyze"))
        return 64;
    /* The list is as long as its longest path; the files lie where it says. */
    char line[8192];
    const char *input = getenv("TIDEWAITER_INPUT"), *files = getenv("TIDEWAITER_FILES");
    if (!input || !files || chdir(input))
        return 1;
    FILE *list = fopen("files.tsv", "r");
    if (!list || !fgets(line, sizeof line, list) || chdir(files))
        return 1;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\t\n")] = 0;
        struct stat st;
        int fd = open(line, O_RDONLY);
        if (fd < 0 || fstat(fd, &st)) {
            perror(line);
            return 1;
        }
        struct elf e = {.size = st.st_size};
        if (e.size > EI_NIDENT && (e.at = mmap(NULL, e.size, PROT_READ, MAP_PRIVATE, fd, 0)) != MAP_FAILED) {
            e.wide = e.at[EI_CLASS] == ELFCLASS64;
            e.big = e.at[EI_DATA] == ELFDATA2MSB;
            look(line, &e);
            munmap((void *)e.at, e.size);
        } else {
            printf("problem\t%s\tit cannot be read\n", line);
        }
        close(fd);
    }
    return fflush(stdout) != 0;
}
